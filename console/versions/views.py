"""The model versions: which there are, which serves, and putting another in its place."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from console.history import reading
from console.history.models import DeploymentRecord
from console.runs import reports
from console.runs.models import Run
from console.versions import deploying, picture
from ml import artifact
from stream.deployments import StaleDeployment
from stream.kafka import KafkaUnavailable

HISTORY_SHOWN = 30
WHY_LONGEST = 500
SHOWN_ABOVE = ("accuracy", "macro_f1", "ece", "accepted", "threshold")


def versions(request: HttpRequest) -> HttpResponse:
    """List the model versions, newest first, and the history of deployments."""
    home = settings.WIREROOM.home
    champions = reading.champions()
    running = {record.champion for record in champions.values()}
    refused = {
        str((result or {}).get("model"))
        for result in Run.objects.filter(state=Run.State.REFUSED).values_list("result", flat=True)
    }
    context = {
        "models": [
            (m, m.name in running, m.name in refused) for m in artifact.list_models(home)[::-1]
        ],
        "encoders": artifact.list_encoders(home)[::-1],
        "champions": champions,
        "rollbacks": {name: deploying.previous(name) for name in champions},
        "records": DeploymentRecord.objects.order_by("-offset")[:HISTORY_SHOWN],
    }
    return render(request, "versions/versions.html", context)


def version(request: HttpRequest, name: str) -> HttpResponse:
    """Show one model version."""
    try:
        found = deploying.plan(name)
    except artifact.ArtifactError as error:
        raise Http404(str(error)) from error
    per_label = found.new.metrics.get("labels", {})
    encoder = _encoder(found.new.encoder)
    context = {
        "encoder": encoder,
        "picture": picture.draw(encoder, found.new) if encoder else None,
        "plan": found,
        "model": found.new,
        "figures": _plain(found.new.metrics),
        "labels": sorted(per_label.items()) if isinstance(per_label, dict) else [],
        "run": _run(found.new.run),
        "reports": reports.of_version(name),
        "records": DeploymentRecord.objects.filter(champion=name).order_by("-offset")[
            :HISTORY_SHOWN
        ],
    }
    return render(request, "versions/version.html", context)


def _encoder(encoder: str) -> artifact.EncoderManifest | None:
    """Return a version's encoder, None where it is broken or gone: the page shows the rest."""
    try:
        return artifact.find_encoder(settings.WIREROOM.home, encoder)
    except artifact.ArtifactError:
        return None


def _plain(metrics: dict[str, Any]) -> list[tuple[str, Any]]:
    plain = {k: v for k, v in metrics.items() if isinstance(v, int | float | str)}
    return [(name, value) for name, value in plain.items() if name not in SHOWN_ABOVE]


def _run(run: str | None) -> Run | None:
    """Return the run a version names; the factory's versions name none of this database's."""
    is_ours = run is not None and len(run) == 36 and run.count("-") == 4
    return Run.objects.filter(id=run).first() if run and is_ours else None


@require_http_methods(["GET", "POST"])
def deploy(request: HttpRequest, name: str) -> HttpResponse:
    """Ask whether to deploy a version, then do it."""
    return _confirm(request, name, "deploy")


@require_http_methods(["GET", "POST"])
def rollback(request: HttpRequest, classifier: str) -> HttpResponse:
    """Ask whether to put the version back that served before, then do it."""
    before = deploying.previous(classifier)
    if before is None or before.champion is None:
        messages.error(
            request, f"Nothing served {classifier} before: there is nothing to go back to."
        )
        return redirect("versions")
    return _confirm(request, before.champion, "rollback")


def _confirm(request: HttpRequest, name: str, action: str) -> HttpResponse:
    try:
        plan = deploying.plan(name)
    except artifact.ArtifactError as error:
        raise Http404(str(error)) from error
    failure = ""
    status = 200
    if request.method == "POST":
        failure, status = _publish(request, plan)
        if not failure:
            return redirect("versions")
        plan = deploying.plan(name)
    context = {"plan": plan, "action": action, "failure": failure}
    return render(request, "versions/confirm.html", context, status=status)


def _publish(request: HttpRequest, plan: deploying.Plan) -> tuple[str, int]:
    """Publish what was confirmed; return what went wrong, empty where nothing did."""
    seen = request.POST.get("based_on", "")
    confirmed = request.POST.get("champion", "")
    if confirmed != plan.new.name or not (seen == "" or (seen.isascii() and seen.isdigit())):
        return "The form does not fit this page any more; look at it again.", 409
    if plan.refused and request.POST.get("in_spite") != "yes":
        return "The gate refused this version; confirm that you deploy it in spite of that.", 409
    why = request.POST.get("why", "").strip()[:WHY_LONGEST]
    try:
        offset = deploying.deploy(
            plan.classifier,
            plan.new.name,
            by=request.user.get_username(),
            why=why,
            based_on=int(seen) if seen else None,
        )
    except StaleDeployment as error:
        return f"Refused: {error}. This page shows what serves now.", 409
    except KafkaUnavailable as error:
        return f"Not deployed: {error}", 503
    except artifact.ArtifactError as error:
        return f"Not deployed, its files are broken: {error}", 409
    messages.success(
        request,
        f"{plan.new.name} is deployed for {plan.classifier} by record {offset}: "
        "the agents answer with it from their next batch on.",
    )
    return "", 200
