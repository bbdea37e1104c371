"""Keep OpenVINO and NNCF from reporting to their maker; import before either.

Both look for `openvino_telemetry` and go on without it. NNCF would otherwise send without asking,
and wait for a network that is not there.
"""

from __future__ import annotations

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # an import of it now fails
