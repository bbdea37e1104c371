"""What the gate refuses, and what it says: label or slice, both figures, and the margin."""

from __future__ import annotations

import numpy as np

from ml.evaluation import Answers
from ml.evaluation_report import Refusal
from ml.gate import gate, gate_size, gate_speed, gate_twin

LABELS = ["earn", "acq", "ship"]
TRUTH = ["earn"] * 60 + ["acq"] * 20 + ["ship"] * 20


def head(said: list[str], known: list[str] = LABELS) -> Answers:
    scores = np.array([[0.9 if label == word else 0.05 for label in known] for word in said])
    return Answers.single(TRUTH, scores, known)


def confused(label: str, count: int, instead: str) -> Answers:
    """Return a head that is right but for `count` articles of a label."""
    first = TRUTH.index(label)
    return head(TRUTH[:first] + [instead] * count + TRUTH[first + count :])


def reasons(
    candidate: Answers, champion: Answers | None, margin: float, **slices: list[str]
) -> list[str]:
    values = {name: np.array(its) for name, its in slices.items()}
    return [refusal.text for refusal in gate(candidate, champion, values, margin)]


def test_without_a_champion_everything_may_be_deployed() -> None:
    assert reasons(confused("earn", 60, "acq"), None, 0.0) == []


def test_an_equal_may_be_deployed() -> None:
    assert reasons(head(TRUTH), head(TRUTH), 0.0, language=["en"] * 100) == []


def test_a_candidate_within_the_margin_may_be_deployed() -> None:
    assert reasons(confused("earn", 3, "acq"), head(TRUTH), 0.03) == []


def test_a_candidate_beyond_the_margin_is_refused_with_both_figures() -> None:
    assert reasons(confused("earn", 3, "acq"), head(TRUTH), 0.02) == [
        "accuracy 0.9700 is below 0.9800 (the champion's 1.0000 less the margin 0.02)"
    ]


def test_a_label_that_got_worse_is_refused_though_the_whole_got_better() -> None:
    champion = confused("earn", 20, "acq")
    assert reasons(confused("ship", 8, "earn"), champion, 0.01) == [
        "precision 0.8824 on label earn is below 0.9900 (the champion's 1.0000 less the margin "
        "0.01); 8 articles were lost and 0 won",
        "recall 0.6000 on label ship is below 0.9900 (the champion's 1.0000 less the margin 0.01); "
        "8 articles were lost and 0 won",
    ]


def test_a_label_given_to_anything_is_refused_for_its_precision() -> None:
    champion = confused("earn", 20, "acq")
    assert reasons(confused("earn", 10, "ship"), champion, 0.01) == [
        "precision 0.6667 on label ship is below 0.9900 (the champion's 1.0000 less the margin "
        "0.01); 10 articles were lost and 0 won"
    ]


def test_a_few_articles_of_a_small_label_are_within_the_allowance() -> None:
    # 4 of 20: mid-p 0.03, but three labels are looked at, in two ways each.
    champion = confused("earn", 20, "acq")
    assert reasons(confused("ship", 4, "earn"), champion, 0.01) == []


def test_a_label_with_less_than_ten_articles_is_not_judged_alone() -> None:
    truth = ["earn"] * 91 + ["ship"] * 9

    def of(said: list[str]) -> Answers:
        scores = np.array([[0.9 if label == word else 0.05 for label in LABELS] for word in said])
        return Answers.single(truth, scores, LABELS)

    assert reasons(of(["earn"] * 100), of(truth), 0.1) == []


def test_a_candidate_that_forgot_a_label_is_refused_whatever_its_support() -> None:
    two = ["earn", "acq"]
    candidate = head([word if word in two else "earn" for word in TRUTH], two)
    assert reasons(candidate, confused("ship", 19, "earn"), 0.5) == [
        "it does not know ship, which the champion answers with recall 0.0500"
    ]


def test_a_slice_that_got_worse_is_refused_though_the_whole_got_better() -> None:
    champion = confused("earn", 30, "acq")
    candidate = confused("acq", 12, "ship")
    language = ["en"] * 60 + ["zh"] * 40
    assert (
        "accuracy 0.7000 on slice language zh is below 0.9900 (the champion's 1.0000 less the "
        "margin 0.01); 12 articles were lost and 0 won"
    ) in reasons(candidate, champion, 0.01, language=language)


def test_time_and_small_slices_are_not_judged() -> None:
    champion = confused("earn", 30, "acq")
    candidate = confused("acq", 12, "ship")
    when = ["older"] * 60 + ["newer"] * 40
    small = ["en"] * 71 + ["zh"] * 29
    found = reasons(candidate, champion, 0.01, time=when, language=small)
    assert [text for text in found if "slice" in text] == []


def test_chance_refuses_an_equally_good_candidate_at_most_once_in_ten() -> None:
    # Both wrong on 10 % of the articles, each on others.
    random = np.random.default_rng(1)
    refused = 0
    slices = {
        "language": np.array(["en", "zh"] * 50),
        "source": np.array(["ap", "dpa", "afp"] * 34)[:100],
    }
    for _ in range(200):
        heads = []
        for _ in range(2):
            wrong = random.random(100) < 0.1
            said = [
                ("acq" if t == "earn" else "earn") if w else t
                for t, w in zip(TRUTH, wrong, strict=True)
            ]
            heads.append(head(said))
        refused += any(r.what != "overall" for r in gate(heads[0], heads[1], slices, 0.005))
    assert refused <= 20  # one in twenty for labels, one in twenty for slices


def test_every_refusal_names_its_figures() -> None:
    (refusal,) = gate(confused("earn", 3, "acq"), head(TRUTH), {}, 0.02)
    assert refusal == Refusal(
        what="overall",
        name="accuracy",
        candidate=0.97,
        champion=1.0,
        margin=0.02,
        text="accuracy 0.9700 is below 0.9800 (the champion's 1.0000 less the margin 0.02)",
    )


def test_a_quantized_encoder_that_agrees_may_be_deployed() -> None:
    assert gate_twin(0.9475, 0.95, 0.99) == []


def test_a_quantized_encoder_that_disagrees_is_refused_however_accurate() -> None:
    assert [r.text for r in gate_twin(0.96, 0.95, 0.9899)] == [
        "it agrees with the unquantized encoder on 0.9899 of the articles, below 0.99"
    ]


def test_a_quantized_encoder_that_loses_accuracy_is_refused() -> None:
    assert [r.text for r in gate_twin(0.945, 0.95, 0.995)] == [
        "accuracy 0.9450 is 0.0050 below the unquantized encoder's; 0.003 is allowed"
    ]


def test_a_compressed_encoder_must_be_faster_here() -> None:
    assert gate_speed(1.05) == []
    assert [r.text for r in gate_speed(1.049)] == [
        "it is 1.049 times as fast as the encoder it was made from, on this processor; "
        "1.05 is the least that pays for another version"
    ]


def test_a_pruned_encoder_must_be_smaller() -> None:
    assert gate_size(0.2) == []
    assert [r.text for r in gate_size(0.19)] == ["it saves 19% of the compressed bytes, below 20%"]


def test_heads_of_several_labels_are_compared_by_micro_f1() -> None:
    truth = [["earn", "acq"]] * 10
    scores = np.full((10, 3), 0.5)

    def several(*marked: bool) -> Answers:
        return Answers.of(truth, scores, LABELS, np.array([marked] * 10), several=True)

    found = gate(several(True, False, False), several(True, True, False), {}, 0.1)
    assert found[0].text == (
        "micro-F1 0.6667 is below 0.9000 (the champion's 1.0000 less the margin 0.1)"
    )
    assert [refusal.name for refusal in found] == ["micro-F1", "acq"]
