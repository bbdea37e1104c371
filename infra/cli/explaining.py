"""`wireroom explain`: why an article got its label."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from infra.cli.terminal import HomeOption, JsonOption, connected, err, out, print_json, settings_at
from infra.settings import Settings

STRONG = 0.5  # of the heaviest word's weight: shown bold
FAINT = 0.12  # below this share of it a word is shown plain


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    uri: Annotated[
        str | None, typer.Argument(help="The article whose newest result to explain.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Explain the answer to this text instead.")
    ] = None,
    classifier: Annotated[str, typer.Option(help="The classifier.")] = "topic",
    model: Annotated[
        str | None, typer.Option(help="A model version; default: the one that gave the answer.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="The article's version.")] = None,
    revision: Annotated[int | None, typer.Option(help="The result's revision.")] = None,
    label: Annotated[str | None, typer.Option(help="Why not this label?")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which words of an article decided, its nearest labelled articles, and what would have changed it."""
    if (uri is None) == (text is None):
        raise typer.BadParameter("give the uri of an article, or --text")
    # Here: Redis' and the database's libraries, which --help must not wait for.
    from infra.home import NotRunning
    from stream.explanations import Question

    try:
        settings, running = connected(home), True
    except NotRunning:
        if uri is not None:
            raise
        settings, running = settings_at(home), False
    if uri is not None:
        question = _about(settings, uri, classifier, model, version, revision, label)
    else:
        chosen = model or _serving(settings, classifier, running=running)
        question = Question(model=chosen, body=text or "", label=label)
    answer = _answer(settings, question, running=running)
    if as_json:
        print_json({key: value for key, value in answer.items() if key not in ("event", "id")})
    else:
        _show(answer)


def _about(
    settings: Settings,
    uri: str,
    classifier: str,
    model: str | None,
    version: str | None,
    revision: int | None,
    label: str | None,
) -> Any:
    from infra.cli import database  # here: Django
    from stream.explanations import NotExplained, Question

    found = database.result(settings, uri, classifier, version, revision)
    if found is None:
        raise NotExplained(f"no result of {classifier} for {uri} is known (killed, or never sent)")
    partition, offset, answered_by = found
    if (chosen := model or answered_by) is None:
        raise NotExplained(f"no model version answered {uri}; give one with --model")
    return Question(model=chosen, partition=partition, offset=offset, label=label)


def _serving(settings: Settings, classifier: str, *, running: bool) -> str:
    """Return the version that serves; where nothing runs, the newest one there is."""
    from ml import artifact  # here: numpy
    from stream import deployments

    if running:
        serving = deployments.read(settings).champions.get(classifier)
    else:
        found = [m.name for m in artifact.list_models(settings.home, classifier)]
        serving = found[-1] if found else None
    if serving is None:
        raise artifact.ArtifactError(f"no version of {classifier!r}; give one with --model")
    return serving


def _answer(settings: Settings, question: Any, *, running: bool) -> dict[str, Any]:
    """Ask a worker's explainer; where nothing runs, start one for this question alone."""
    from stream import explanations
    from workers.explaining import WarmExplainer

    with err.status("explaining; the first question waits for TensorFlow"):
        if running:
            client = explanations.connect(settings)
            asked = explanations.ask(client, settings.topic_prefix, question)
            return explanations.wait(client, settings.topic_prefix, asked)
        with WarmExplainer(settings) as explainer:
            answer = explainer.explain(question)
    if answer["event"] == "error":
        raise explanations.NotExplained(answer["text"])
    return answer


def _show(answer: dict[str, Any]) -> None:
    gap = answer["log_odds"] - answer["log_odds_baseline"]
    out.print(
        f"[bold]{escape(answer['label'])}[/] {answer['confidence']:.3f} {answer['decision']}  "
        f"{escape(answer['model'])} on {escape(answer['encoder'])}",
        highlight=False,
    )
    out.print(
        f"log-odds {answer['log_odds']:+.2f}, {answer['log_odds_baseline']:+.2f} with every word "
        f"masked; the words' weights sum to {gap:+.2f} within "
        f"{100 * answer['completeness_error']:.1f} % ({answer['steps']} steps)",
        highlight=False,
    )
    if answer["note"]:
        out.print(escape(answer["note"]), style="yellow", highlight=False)
    out.print()
    out.print(_highlighted(answer))
    words = Table("word", "weight", box=None, pad_edge=False)
    for word in sorted(answer["words"], key=lambda w: -abs(w["weight"]))[:12]:
        words.add_row(_safe(answer["text"][word["start"] : word["end"]]), f"{word['weight']:+.3f}")
    out.print()
    out.print(words)
    if answer["sentences"]:
        parts = Table("without", "confidence falls by", "label then", box=None, pad_edge=False)
        for part in sorted(answer["sentences"], key=lambda s: -s["drop"]):
            then = f"[red]{escape(part['label'])}[/]" if part["flips"] else escape(part["label"])
            shown = _safe(answer["text"][part["start"] : part["end"]][:80])
            parts.add_row(shown, f"{part['drop']:+.3f}", then)
        out.print()
        out.print(parts)
    if answer["nearest"]:
        near = Table("nearest labelled article", "label", "cosine", box=None, pad_edge=False)
        for article in answer["nearest"]:
            near.add_row(
                _safe(article["title"][:80]),
                escape(article["label"]),
                f"{article['similarity']:.3f}",
            )
        out.print()
        out.print(near)
    out.print(f"\n{answer['seconds']:.1f} s", style="dim", highlight=False)


def _highlighted(answer: dict[str, Any]) -> Text:
    """Return the text with the words for the label green, those against it red."""
    text = answer["text"]
    heaviest = max((abs(w["weight"]) for w in answer["words"]), default=0.0) or 1.0
    shown, end = Text(), 0
    for word in answer["words"]:
        shown.append(_printable(text[end : word["start"]]))
        share = word["weight"] / heaviest
        colour = "green" if share > 0 else "red"
        style = "" if abs(share) < FAINT else f"bold {colour}" if abs(share) > STRONG else colour
        shown.append(_printable(text[word["start"] : word["end"]]), style)
        end = word["end"]
    shown.append(_printable(text[end:]), "dim")
    return shown


def _printable(text: str) -> str:
    """Escape what could hurt a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _safe(text: str) -> str:
    return escape(_printable(text))
