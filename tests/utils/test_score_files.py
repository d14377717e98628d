import json
import re

import numpy as np
import pytest

from src.metrics.report import evaluate
from src.utils.score_files import evaluate_score_files, read_score_files
from src.utils.score_formats import read_asv_scores

# One set of trials, written in every format: id, speaker, gender, system, label, score.
TRIALS = [
    ("E_1", "S_1", "F", "-", "bonafide", "2.5"),
    ("E_2", "S_1", "F", "A11", "spoof", "-1.25"),
    ("E_3", "S_2", "M", "-", "bonafide", "-0.5"),
    ("E_4", "S_2", "M", "A12", "spoof", "0.75"),
    ("E_5", "S_3", "F", "A11", "spoof", "-3e0"),
    ("E_6", "S_3", "F", "-", "bonafide", "1"),
]
LABELS = [1, 0, 1, 0, 0, 1]
SCORES = [2.5, -1.25, -0.5, 0.75, -3.0, 1.0]


def write_scores(path, form, trials=TRIALS):
    """Write a score file in one of the formats."""
    if form == "asvspoof5":
        lines = ["filename\tcm-score", *(f"{name}\t{score}" for name, *_, score in trials)]
    elif form == "2021":
        lines = [f"{name} {score}" for name, *_, score in trials]
    elif form == "2019":
        lines = [f"{name} {system} {label} {score}" for name, _, _, system, label, score in trials]
    else:
        words = {"bonafide": "bona-fide", "spoof": "spoof"}
        lines = ["file,label,score,speaker,gender,system"]
        for name, speaker, gender, system, label, score in trials:
            quoted = f'"{name}"' if "," in name else name
            lines.append(f"{quoted},{words[label]},{score},{speaker},{gender},{system.strip('-')}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_key(path, form, trials=TRIALS):
    """Write a key file in one of the formats."""
    rows = {
        "asvspoof5": "{name}\t{label}",
        "asvspoof5 protocol": "{speaker} {name} {gender} C01 1 7 AC1 {attack} {label} -",
        "2021 LA": "{speaker} {name} alaw ita_tx {attack} {label} notrim eval",
        "2021 DF": "{speaker} {name} nocodec asvspoof {attack} {label} notrim eval traditional_vocoder - - - -",
        "2019": "{speaker} {name} - {system} {label}",
        "csv": "{name},{speaker},{label}",
    }
    headers = {"asvspoof5": "filename\tcm-label\n", "csv": "file,speaker,label\n"}
    text = headers.get(form, "")
    for name, speaker, gender, system, label, _ in trials:
        attack = "bonafide" if label == "bonafide" else system
        fields = {"name": name, "speaker": speaker, "gender": gender, "system": system, "label": label}
        text += rows[form].format(attack=attack, **fields) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


SCORE_FORMS = ["asvspoof5", "2021", "2019", "csv"]
KEY_FORMS = ["asvspoof5", "asvspoof5 protocol", "2021 LA", "2021 DF", "2019", "csv"]
SELF_CONTAINED = ["2019", "csv"]


@pytest.mark.parametrize("key_form", KEY_FORMS)
@pytest.mark.parametrize("score_form", SCORE_FORMS)
def test_one_set_of_trials_reads_the_same_in_every_format(tmp_path, score_form, key_form):
    trials = read_score_files(
        write_scores(tmp_path / "s", score_form, TRIALS[::-1]), write_key(tmp_path / "k", key_form)
    )
    np.testing.assert_array_equal(trials.y_true, LABELS)
    np.testing.assert_array_equal(trials.y_scores, SCORES)
    np.testing.assert_array_equal(trials.trials, [name for name, *_ in TRIALS])
    assert len(trials.extra) == 6


@pytest.mark.parametrize("form", SELF_CONTAINED)
def test_files_with_labels_need_no_key(tmp_path, form):
    trials = read_score_files(write_scores(tmp_path / "s", form))
    np.testing.assert_array_equal(trials.y_true, LABELS)
    np.testing.assert_array_equal(trials.y_scores, SCORES)
    assert trials.extra["system"].tolist() == ["", "A11", "", "A12", "A11", ""]


@pytest.mark.parametrize("form", ["asvspoof5 protocol", "2021 LA", "2021 DF", "2019"])
def test_speaker_and_system_come_along_and_bona_fide_has_no_system(tmp_path, form):
    extra = read_score_files(write_scores(tmp_path / "s", "2021"), write_key(tmp_path / "k", form)).extra
    assert extra["speaker"].tolist() == ["S_1", "S_1", "S_2", "S_2", "S_3", "S_3"]
    assert extra["system"].tolist() == ["", "A11", "", "A12", "A11", ""]


def test_conditions_of_a_protocol_come_along(tmp_path):
    scores = write_scores(tmp_path / "s", "2021")
    assert set(read_score_files(scores, write_key(tmp_path / "la", "2021 LA")).extra["codec"]) == {"alaw"}
    assert set(read_score_files(scores, write_key(tmp_path / "df", "2021 DF")).extra["vocoder"]) == {
        "traditional_vocoder"
    }
    assert read_score_files(scores, write_key(tmp_path / "5", "asvspoof5 protocol")).extra["gender"].tolist() == list(
        "FFMMFF"
    )


@pytest.mark.parametrize("key_form", KEY_FORMS)
@pytest.mark.parametrize("score_form", SCORE_FORMS)
def test_ids_may_hold_blanks(tmp_path, score_form, key_form):
    trials = [(f"my clip of {name}.wav", *rest) for name, *rest in TRIALS]
    read = read_score_files(
        write_scores(tmp_path / "s", score_form, trials), write_key(tmp_path / "k", key_form, trials)
    )
    np.testing.assert_array_equal(read.trials, [name for name, *_ in trials])
    np.testing.assert_array_equal(read.y_scores, SCORES)


def test_an_id_that_ends_like_a_2019_line_is_still_an_id(tmp_path):
    trials = [("an old take real", *TRIALS[0][1:]), *TRIALS[1:]]
    read = read_score_files(write_scores(tmp_path / "s", "2021", trials), write_key(tmp_path / "k", "csv", trials))
    assert read.trials[0] == "an old take real"


def test_quoted_commas_and_quotation_marks_are_part_of_an_id(tmp_path):
    trials = [("a, b/c.wav", *TRIALS[0][1:]), *TRIALS[1:]]
    assert read_score_files(write_scores(tmp_path / "s", "csv", trials)).trials[0] == "a, b/c.wav"
    trials = [('"hello', *TRIALS[0][1:]), *TRIALS[1:]]
    scores, key = write_scores(tmp_path / "s", "asvspoof5", trials), write_key(tmp_path / "k", "asvspoof5", trials)
    assert read_score_files(scores, key).trials[0] == '"hello'


def test_byte_order_mark_windows_line_ends_and_blank_lines_do_no_harm(tmp_path):
    text = write_scores(tmp_path / "s", "csv").read_text()
    (tmp_path / "w").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n\r\n").encode())
    np.testing.assert_array_equal(read_score_files(tmp_path / "w").y_scores, SCORES)


def test_blanks_around_a_line_are_no_part_of_an_id(tmp_path):
    scores = write_scores(tmp_path / "s", "2021")
    scores.write_text("".join(f"  {line}  \n" for line in scores.read_text().splitlines()))
    assert read_score_files(scores, write_key(tmp_path / "k", "2019")).trials[0] == "E_1"


def test_a_dash_means_that_nothing_is_known(tmp_path):
    trials = [(*trial[:3], "-", *trial[4:]) for trial in TRIALS]
    extra = read_score_files(write_scores(tmp_path / "s", "2019", trials)).extra
    assert set(extra["system"]) == {""}
    key = write_key(tmp_path / "k", "2021 DF")
    assert set(read_score_files(write_scores(tmp_path / "s", "2021"), key).extra["team"]) == {""}


@pytest.mark.parametrize("form", ["2021 LA", "2021 DF"])
def test_only_the_eval_subset_of_2021_counts(tmp_path, form):
    more = [("P_1", "S_4", "F", "A11", "spoof", "99"), ("H_1", "S_4", "F", "-", "bonafide", "-99")]
    key = write_key(tmp_path / "k", form, TRIALS + more)
    lines = key.read_text().splitlines()
    lines[-2], lines[-1] = lines[-2].replace(" eval", " progress"), lines[-1].replace(" eval", " hidden")
    key.write_text("\n".join(lines))
    scored_all = read_score_files(write_scores(tmp_path / "all", "2021", TRIALS + more), key)
    scored_eval = read_score_files(write_scores(tmp_path / "eval", "2021"), key)
    for read in (scored_all, scored_eval):
        np.testing.assert_array_equal(read.y_scores, SCORES)
        assert set(read.extra["subset"]) == {"eval"}


def test_a_column_named_subset_in_a_csv_key_means_nothing_here(tmp_path):
    rows = "".join(f"{name},{label},train\n" for name, *_, label, _ in TRIALS)
    (tmp_path / "k").write_text("file,label,subset\n" + rows)
    read = read_score_files(write_scores(tmp_path / "s", "2021"), tmp_path / "k")
    np.testing.assert_array_equal(read.y_scores, SCORES)


def test_a_key_without_the_eval_subset_is_refused(tmp_path):
    key = write_key(tmp_path / "k", "2021 LA")
    key.write_text(key.read_text().replace(" eval", " progress"))
    with pytest.raises(ValueError, match="k has no trial of the subset 'eval'"):
        read_score_files(write_scores(tmp_path / "s", "2021"), key)


@pytest.mark.parametrize("form", SCORE_FORMS)
def test_a_missing_trial_is_counted_and_named(tmp_path, form):
    scores, key = write_scores(tmp_path / "s", form, TRIALS[:1] + TRIALS[3:]), write_key(tmp_path / "k", "2019")
    with pytest.raises(ValueError, match=r"2 of the 6 trials in the key .*k have no score in .*s, the first is E_2"):
        read_score_files(scores, key)


@pytest.mark.parametrize("form", SCORE_FORMS)
def test_a_score_of_no_known_trial_is_counted_and_named(tmp_path, form):
    scores, key = write_scores(tmp_path / "s", form), write_key(tmp_path / "k", "2019", TRIALS[:4])
    with pytest.raises(ValueError, match=r"2 of the 6 trials scored in .*s are not in the key .*k, the first is E_5"):
        read_score_files(scores, key)


@pytest.mark.parametrize("form", SCORE_FORMS)
def test_a_trial_scored_twice_is_named_with_its_line(tmp_path, form):
    line = {"asvspoof5": 8, "2021": 7, "2019": 7, "csv": 8}[form]
    with pytest.raises(ValueError, match=rf"s has 1 trial\(s\) more than once, the first is E_1 on line {line}"):
        read_score_files(write_scores(tmp_path / "s", form, [*TRIALS, TRIALS[0]]), write_key(tmp_path / "k", "2019"))


def test_a_trial_twice_in_the_key_is_named_with_its_line(tmp_path):
    with pytest.raises(ValueError, match=r"k has 2 trial\(s\) more than once, the first is E_1 on line 7"):
        read_score_files(write_scores(tmp_path / "s", "2021"), write_key(tmp_path / "k", "2019", TRIALS + TRIALS[:2]))


def test_labels_that_contradict_the_key_are_counted_and_named(tmp_path):
    turned = [(*trial[:4], "spoof" if trial[4] == "bonafide" else "bonafide", trial[5]) for trial in TRIALS]
    with pytest.raises(ValueError, match=r"6 of the 6 trials have one label in .*s and the other in .*k, .* is E_1"):
        read_score_files(write_scores(tmp_path / "s", "2019"), write_key(tmp_path / "k", "2019", turned))


@pytest.mark.parametrize("form", SCORE_FORMS)
@pytest.mark.parametrize("word", ["abc", "0;5", "--1"])
def test_a_score_that_is_no_number_is_named_with_file_and_line(tmp_path, form, word):
    trials = [*TRIALS[:3], (*TRIALS[3][:5], word), *TRIALS[4:]]
    line = {"asvspoof5": 5, "2021": 4, "2019": 4, "csv": 5}[form]
    with pytest.raises(ValueError, match=f"s, line {line}: .*'{word}'"):
        read_score_files(write_scores(tmp_path / "s", form, trials), write_key(tmp_path / "k", "2019"))


@pytest.mark.parametrize("word", ["nan", "inf", "-Infinity"])
def test_a_score_that_is_not_finite_is_counted_and_its_trial_named(tmp_path, word):
    trials = [*TRIALS[:3], (*TRIALS[3][:5], word), *TRIALS[4:]]
    with pytest.raises(ValueError, match="s: 1 of 6 scores is NaN or infinite, the first for E_4"):
        read_score_files(write_scores(tmp_path / "s", "2019", trials))


def test_an_unknown_label_is_named_with_file_and_line(tmp_path):
    trials = [*TRIALS[:2], (*TRIALS[2][:4], "bonafied", "0.1"), *TRIALS[3:]]
    with pytest.raises(ValueError, match=r"s, line 4: 'bonafied' .* bona-fide"):
        (tmp_path / "s").write_text("file,label,score\n" + "".join(f"{t[0]},{t[4]},{t[5]}\n" for t in trials))
        read_score_files(tmp_path / "s")
    with pytest.raises(ValueError, match="k, line 3: 'bonafied' "):
        read_score_files(write_scores(tmp_path / "s", "2021"), write_key(tmp_path / "k", "2019", trials))
    with pytest.raises(ValueError, match="s carries no label on line 3: give the key file"):
        read_score_files(write_scores(tmp_path / "s", "2019", trials))


@pytest.mark.parametrize("form", ["asvspoof5", "2021"])
def test_scores_without_labels_need_a_key(tmp_path, form):
    with pytest.raises(ValueError, match="s carries no label on line 1: give the key file of these trials too"):
        read_score_files(write_scores(tmp_path / "s", form))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "s is empty"),
        ("\n \n", "s is empty"),
        ("filename\tcm-score\n", "s has a header and no trials"),
        ("E_1\nE_2\n", r"s is not a score file .*'E_1'.*: 'filename<TAB>cm-score'"),
        ("S_1 E_1 - A11 spoof\n", "s is not a score file .*'S_1 E_1 - A11 spoof'"),
        ("E_1 0.5\nE_2\n", "s, line 2: 1 fields instead of 2, trial score"),
        ("filename\tcm-score\nE_1\t1\nE_2 2\n", "s, line 3: 1 fields instead of 2, trial score"),
        ("file,label,score\nE_1,spoof\n", "s, line 2: 2 fields instead of 3, trial label score"),
        ("filename\tcm-label\nE_1\tspoof\n", "s has no column of scores, is it a key file"),
    ],
)
def test_a_foreign_score_file_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "s").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_score_files(tmp_path / "s", write_key(tmp_path / "k", "2019"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "k is empty"),
        ("filename\tcm-label\n", "k has a header and no trials"),
        ("E_1\nE_2\n", "k holds utterance ids without labels; a key file is 'filename<TAB>cm-label'"),
        ("E_1 0.5\nE_2 0.7\n", "k is not a key file .*'E_1 0.5'"),
        ("S_1 E_1 - A11 spoof\nspoof\n", "k, line 2: 1 fields instead of 5, speaker trial environment system label"),
        ("filename\tcm-score\nE_1\t0.5\n", "k has no column of labels, is it a score file"),
    ],
)
def test_a_foreign_key_file_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "k").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_score_files(write_scores(tmp_path / "s", "2021"), tmp_path / "k")
    assert "\n" not in str(caught.value)


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "s").write_bytes(b"\x93NUMPY\x01\x00\xff\xfe")
    with pytest.raises(ValueError, match="s is not a text file in UTF-8"):
        read_score_files(tmp_path / "s")


def test_a_missing_file_is_named(tmp_path):
    scores, absent = write_scores(tmp_path / "s", "2019"), tmp_path / "absent.txt"
    for arguments in ([absent], [scores, absent], [scores, None, absent]):
        with pytest.raises(FileNotFoundError, match=f"There is no file {re.escape(str(absent))}"):
            evaluate_score_files(*arguments)


def test_one_class_only_is_refused_with_the_file(tmp_path):
    bonafide = [trial for trial in TRIALS if trial[4] == "bonafide"]
    with pytest.raises(ValueError, match="s: All 3 trials are bona fide"):
        read_score_files(write_scores(tmp_path / "s", "2019", bonafide))


def test_asv_scores_are_read_from_the_right(tmp_path):
    path = tmp_path / "asv"
    path.write_text("bonafide target 3\nS_1 E 1 bonafide target 4.5\nnontarget -1\n- nontarget 0\nA11 spoof 1e1\n")
    asv = read_asv_scores(path)
    assert (asv.target.tolist(), asv.nontarget.tolist(), asv.spoof.tolist()) == ([3, 4.5], [-1, 0], [10])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a target 1\nb bonafide 2\n", "asv, line 2: 'bonafide' .* target, nontarget, spoof"),
        ("a target 1\nb nontarget x\n", "asv, line 2: .*'x'"),
        ("a target 1\n2\n", "asv, line 2: 1 fields instead of 2, key score"),
        ("a target 1\nb spoof 2\n", "asv: There are no ASV nontarget scores"),
        ("a target 1\nb spoof nan\nc nontarget 0\n", "asv: 1 of 1 ASV spoof scores is NaN"),
    ],
)
def test_a_bad_asv_file_is_refused(tmp_path, text, message):
    (tmp_path / "asv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_asv_scores(tmp_path / "asv")


def test_evaluation_is_the_report_of_the_same_arrays(tmp_path):
    scores, key, asv_path = write_scores(tmp_path / "s", "2021"), write_key(tmp_path / "k", "2021 LA"), tmp_path / "asv"
    asv_path.write_text("".join(f"x target {i}\nx nontarget {-i}\nx spoof {i - 3}\n" for i in range(1, 8)))
    assert evaluate_score_files(scores, key) == evaluate(LABELS, SCORES)
    report = evaluate_score_files(scores, key, asv_path)
    assert report == evaluate(LABELS, SCORES, asv=read_asv_scores(asv_path))
    assert "accuracy" not in report
    assert report["eer"] == pytest.approx(1 / 3)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_scores_that_run_the_other_way_are_warned_of_once(tmp_path):
    inverted = [(*trial[:5], str(-float(trial[5]))) for trial in TRIALS]
    with pytest.warns(UserWarning, match="probably runs the other way") as caught:
        evaluate_score_files(write_scores(tmp_path / "s", "2019", inverted))
    assert len(caught) == 1
