"""What a deployment would change, and doing it."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from console.history import reading
from console.history.models import DeploymentRecord
from console.runs.models import Run
from ml import artifact
from ml.artifact import ModelManifest
from stream import deployments


@dataclass(frozen=True)
class Plan:
    """One change of a classifier's champion as an operator is asked to confirm it.

    `based_on` is the offset of the record that the operator sees: the deployment is refused where
    another has come after it. `refused` holds the gate's reasons against `new`.
    """

    classifier: str
    new: ModelManifest
    current: DeploymentRecord | None
    current_manifest: ModelManifest | None
    refused: list[str]

    @property
    def based_on(self) -> int | None:
        return self.current.offset if self.current else None

    @property
    def changes_nothing(self) -> bool:
        return self.current is not None and self.current.champion == self.new.name

    @property
    def same_encoder(self) -> bool:
        return (
            self.current_manifest is not None and self.current_manifest.encoder == self.new.encoder
        )

    @property
    def accuracy_change(self) -> float | None:
        """Return the difference of the two accuracies where both are of one dataset version."""
        old = self.current_manifest
        if old is None or old.dataset != self.new.dataset:
            return None
        before, after = old.metrics.get("accuracy"), self.new.metrics.get("accuracy")
        return None if before is None or after is None else float(after) - float(before)


def manifest(name: str) -> ModelManifest:
    """Return a model version's manifest; raises ArtifactError."""
    return artifact.load_manifest(artifact.model_path(settings.WIREROOM.home, name), ModelManifest)


def plan(name: str) -> Plan:
    """Return what deploying a model version would change; raises ArtifactError."""
    new = manifest(name)
    current = reading.champions().get(new.classifier)
    serving: ModelManifest | None = None
    if current is not None and current.champion:
        try:
            serving = manifest(current.champion)
        except artifact.ArtifactError:
            serving = None  # shown as a version whose figures are not known
    return Plan(new.classifier, new, current, serving, refusals(name))


def refusals(name: str) -> list[str]:
    """Return why the gate refused a model version; empty where it did not."""
    run = Run.objects.filter(state=Run.State.REFUSED, result__model=name).first()
    if run is None or not run.result:
        return []
    return [str(reason) for reason in run.result.get("reasons", [])] or ["refused by its run"]


def previous(classifier: str) -> DeploymentRecord | None:
    """Return the deployment to roll back to: the last one of another version than now."""
    current = reading.champions().get(classifier)
    if current is None:
        return None
    return (
        DeploymentRecord.objects.filter(
            classifier=classifier, effective=True, champion__isnull=False, offset__lt=current.offset
        )
        .exclude(champion=current.champion)
        .order_by("-offset")
        .first()
    )


def deploy(classifier: str, champion: str, *, by: str, why: str, based_on: int | None) -> int:
    """Publish a deployment once its files are whole; return its offset.

    Raises ArtifactError, deployments.StaleDeployment, kafka.KafkaUnavailable.
    """
    path = artifact.model_path(settings.WIREROOM.home, champion)
    artifact.check_files(path, artifact.load_manifest(path, ModelManifest))
    return deployments.publish(
        settings.WIREROOM, classifier, champion, by=by, why=why, based_on=based_on
    )
