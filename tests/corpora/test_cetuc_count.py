"""The counts of a prepared corpus."""

from pathlib import Path

from src.corpora.cetuc_count import CountCheck, count_corpus


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_the_count_compares_and_names(tmp_path: Path) -> None:
    published = CountCheck(people=101, spoofed_people=91, genuine_clips=100_000, spoof_clips=79_812)
    assert published.as_published
    assert "The counts match the published ones." in str(published)
    write_files(
        tmp_path,
        {
            "real_voices/Ana_F001/a.wav": b"",
            "real_voices/Ana_F001/b.txt": b"",
            "real_voices/Juliana_F028/F028-0914.wav": b"",
            "real_voices/Empty_F002/notes.txt": b"",
            "real_voices/somebody/a.flac": b"",
            "fake_voices/Ana_F001_Fake/0.mp3": b"",
            "fake_voices/Davi_M004_Fake/0.ogg": b"",
        },
    )
    check = count_corpus(tmp_path, ["said before"])
    assert (check.people, check.spoofed_people, check.genuine_clips, check.spoof_clips) == (3, 1, 3, 2)
    assert check.without_spoofs == ("Juliana_F028", "somebody")
    assert check.remarks == (
        "said before",
        "real_voices/somebody: no speaker id such as F028 in its name",
        "fake_voices/Davi_M004_Fake: spoofs of somebody without bona fide clips",
        "real_voices/Juliana_F028/F028-0914.wav: is silent, delete it",
    )
    lines = str(check).splitlines()
    assert lines[1].split() == ["people", "101", "3"]
    assert lines[6].split() == ["clips", "in", "all", "179,812", "5"]
    assert "Without spoofs: Juliana_F028, somebody." in lines
    many = CountCheck(1, 0, 1, 0, remarks=tuple(f"remark {k}" for k in range(30)))
    assert str(many).endswith("- remark 19\n- and 10 more remarks")
