"""The form that starts a run."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from console.history import reading
from console.runs.models import Run
from ml import artifact

ABOUT = {
    Run.Job.TRAIN: "train: a new head on a dataset",
    Run.Job.REFIT: "refit: the head anew on the newest dataset version",
    Run.Job.QUANTIZE: "quantize: an int8 encoder and a head on it",
    Run.Job.EVALUATE: "evaluate: measure what serves",
    Run.Job.PRETRAIN: "pretrain: the encoder seed on a dataset's texts",
    Run.Job.FINETUNE: "finetune: an encoder on a dataset's labels, and a head on it",
    Run.Job.COMPRESS: "compress: distill an encoder into a faster one, and a head on it",
    Run.Job.RETENTION: "retention: delete runs and versions that nothing needs",
}
NEEDS_DATASET = (Run.Job.TRAIN, Run.Job.EVALUATE, Run.Job.PRETRAIN)
CLASSIFIER = r"^[a-z0-9][a-z0-9_.-]{0,60}$"


class StartForm(forms.Form):
    """What a run is asked for; what is left empty is what serves now."""

    job = forms.ChoiceField(choices=[(job.value, text) for job, text in ABOUT.items()])
    classifier = forms.RegexField(
        CLASSIFIER, initial="topic", error_messages={"invalid": "small letters, digits, - and _"}
    )
    dataset = forms.ChoiceField(required=False)
    encoder = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        home = settings.WIREROOM.home
        datasets = [d.id for d in artifact.list_datasets(home)[::-1]]
        encoders = [e.id for e in artifact.list_encoders(home)[::-1]]
        self.fields["dataset"] = _choice(datasets, "the champion's, newest version")
        self.fields["encoder"] = _choice(encoders, "the champion's")
        self.fields["classifier"].widget.attrs["list"] = "classifiers"
        self.classifiers = list(reading.champions())

    def clean(self) -> dict[str, Any]:
        """Ask for a dataset where no champion says which."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("job") in NEEDS_DATASET and not cleaned.get("dataset"):
            self.add_error("dataset", "choose a dataset version")
        if cleaned.get("job") == Run.Job.TRAIN and not cleaned.get("encoder"):
            self.add_error("encoder", "choose an encoder")
        return cleaned

    def specification(self) -> dict[str, Any]:
        """Return the job's specification as far as it was given."""
        given = {k: self.cleaned_data[k] for k in ("job", "classifier", "dataset", "encoder")}
        return {k: v for k, v in given.items() if v}


def _choice(values: list[str], empty: str) -> forms.ChoiceField:
    return forms.ChoiceField(
        required=False, choices=[("", empty), *((value, value) for value in values)]
    )
