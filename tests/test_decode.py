"""Bytes to text: what is declared, what is there, and both at odds. All texts are invented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.decode import NotTextError, declared_charset, decode, detected

CASES = json.loads((Path(__file__).parent / "cases" / "charsets.json").read_text(encoding="utf-8"))
TEXTS = [pytest.param(case["text"], charset, id=f"{case['language']} {charset}") for case in CASES for charset in case["charsets"]]
BY_LANGUAGE = {case["language"]: case["text"] for case in CASES}
WRONG = (
    "utf-8",
    "us-ascii",
    "iso-8859-1",
    "windows-1252",
    "windows-1251",
    "gb2312",
    "shift_jis",
    "big5",
    "euc-kr",
    "windows-1256",
    "koi8-r",
)
GERMAN, RUSSIAN, CHINESE = BY_LANGUAGE["de"], BY_LANGUAGE["ru"], BY_LANGUAGE["zh-Hans"]


def in_charset(text: str, charset: str) -> tuple[bytes, str]:
    """The bytes of a text, and what of it the charset has."""
    data = text.encode(charset, "ignore")
    return data, data.decode(charset)


@pytest.mark.parametrize(("text", "charset"), TEXTS)
def test_a_true_declaration_is_believed(text: str, charset: str) -> None:
    for cut in (text, text[:60], text[:25]):
        data, expected = in_charset(cut, charset)
        assert decode(data, charset) == expected


@pytest.mark.parametrize(("text", "charset"), TEXTS)
def test_a_false_declaration_is_not(text: str, charset: str) -> None:
    data, expected = in_charset(text, charset)
    assert decode(data) == expected
    for label in WRONG:
        assert decode(data, label) == expected, label


@pytest.mark.xfail(strict=True, reason="Polish without \u015b and \u017a: Windows-1250 and ISO-8859-2 differ in one letter, both can be")
def test_windows_1250_declared_as_iso_8859_2() -> None:
    assert decode(BY_LANGUAGE["pl"].encode("cp1250"), "iso-8859-2") == BY_LANGUAGE["pl"]


def test_c1_controls_tell_windows_1250_from_iso_8859_2() -> None:
    text = BY_LANGUAGE["pl"] + " \u015awi\u0119to ko\u0144czy si\u0119 w \u015brod\u0119, a\u017c do \u015bwitu."
    assert decode(text.encode("cp1250"), "iso-8859-2") == text


@pytest.mark.parametrize("language", BY_LANGUAGE)
@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_unicode_without_a_mark_whatever_is_declared(language: str, charset: str) -> None:
    text = BY_LANGUAGE[language] + "\n" + BY_LANGUAGE[language]
    for label in (None, "iso-8859-1", "windows-1251", "gb2312"):
        assert decode(text.encode(charset), label) == text


def test_the_first_declaration_that_convinces() -> None:
    data, expected = in_charset(RUSSIAN, "koi8-r")
    assert decode(data, "windows-1251", "koi8-r") == expected
    assert decode(data, "koi8-r", "windows-1251") == expected
    assert decode("Caf\u00e9".encode("latin-1"), "no such charset", "iso-8859-1") == "Caf\u00e9"


LABELS = {
    "ja": ("cp932", ["x-sjis", "Windows-31J", "ms932", "Shift_JIS"]),
    "zh-Hans": ("gbk", ["x-gbk", "GB2312", " gb_2312-80 "]),
    "ru": ("cp1251", ["win1251", "CP-1251", "x-cp1251", "windows-1251"]),
    "ko": ("cp949", ["windows-949", "ks_c_5601-1987", "EUC-KR"]),
    "th": ("cp874", ["windows-874", "dos-874", "tis-620", "iso-8859-11"]),
}


@pytest.mark.parametrize("language", LABELS)
def test_labels_of_the_web(language: str) -> None:
    charset, labels = LABELS[language]
    data, expected = in_charset(BY_LANGUAGE[language][:12], charset)
    assert [decode(data, label) for label in labels] == [expected] * len(labels)


@pytest.mark.parametrize("label", ["utf-7", "unicode_escape", "punycode", "rot13", "hex", "idna", "utf-16", "cp037", "undefined"])
def test_charsets_that_no_page_can_mean(label: str) -> None:
    """In UTF-7 +ADw- is a bracket: what no filter takes for markup would become some."""
    text = "A +ADw-b+AD4- and \\u0041 stay -as- they are."
    assert decode(text.encode(), label) == text
    assert decode(GERMAN.encode("cp1252"), label) == GERMAN


MIXED = {
    "one Windows quote": (
        "Der Bürgermeister sagte ".encode() + b"\x84ja\x93." + " Später übte er Kritik.".encode(),
        "Der Bürgermeister sagte „ja“. Später übte er Kritik.",
    ),
    "an apostrophe": ("“It’s late”, she said; it isn".encode() + b"\x92t.", "“It’s late”, she said; it isn’t."),
    "a letter": ("Größe und Übermut, ".encode() + b"Kr\xe4fte", "Größe und Übermut, Kräfte"),
    "half a character": ("Größe, Übermut, später".encode()[:-4] + b" und so weiter", "Größe, Übermut, sp\ufffd und so weiter"),
    "two thirds of one": ("Größe „gut“ ".encode() + b"\xe2\x80" + " später".encode(), "Größe „gut“ \ufffd später"),
    "surrogates": ("Größe ".encode() + b"\xed\xa0\xbd\xed\xb8\x80", "Größe \U0001f600"),
    "a paragraph": (
        f"{GERMAN}\n".encode() * 2 + b"Sie k\xf6nnen \xfcber K\xe4se reden.\n" + GERMAN.encode(),
        f"{GERMAN}\n{GERMAN}\nSie können über Käse reden.\n{GERMAN}",
    ),
    "a paragraph in Cyrillic": (f"{RUSSIAN}\n".encode() + RUSSIAN.encode("cp1251"), f"{RUSSIAN}\n{RUSSIAN}"),
    "a tag's content": (f"<p>{CHINESE}</p>".encode() + b"<p>" + CHINESE.encode("gbk") + b"</p>", f"<p>{CHINESE}</p><p>{CHINESE}</p>"),
}


@pytest.mark.parametrize("name", MIXED)
def test_broken_places_do_not_turn_the_rest(name: str) -> None:
    data, expected = MIXED[name]
    for label in (None, "utf-8", "iso-8859-1"):
        assert decode(data, label) == expected


@pytest.mark.parametrize(("text", "charset"), TEXTS)
def test_a_few_broken_bytes_in_a_declared_charset(text: str, charset: str) -> None:
    if charset.startswith("iso-2022"):
        pytest.skip("its escapes are all or nothing")
    data, expected = in_charset(text * 4, charset)
    found = decode(data + b"\n\xff\n", charset)
    assert found.startswith(expected[:-2])


def test_iso_2022_and_hz_hide_in_seven_bits() -> None:
    japanese = BY_LANGUAGE["ja"]
    assert decode(japanese.encode("iso-2022-jp"), "utf-8") == japanese
    assert decode(CHINESE.encode("hz"), "hz-gb-2312") == CHINESE
    assert decode(b"rm ~{a,b}", "gb2312") == "rm ~{a,b}"


@pytest.mark.parametrize("data", [b"A line\0 with NUL.\n", b'{"a": "b\0"}', b"Five\0 lines\n" * 5])
def test_nul_in_plain_text_is_not_utf_16(data: bytes) -> None:
    with pytest.raises(NotTextError) as caught:
        decode(data)
    assert caught.value.reason == "nul_bytes"


def test_the_head_of_a_file_tells_its_charset() -> None:
    assert detected(RUSSIAN.encode("cp1251")) == "cp1251"
    assert detected(RUSSIAN.encode()[:-1]) is None
    assert detected(b"plain") is None
    assert detected(b"") is None


def test_what_a_page_declares() -> None:
    assert declared_charset(b'<meta charset="koi8-r">') == "koi8-r"
    assert declared_charset(b'<META http-equiv=Content-Type content="text/html; charset = Shift_JIS">') == "Shift_JIS"
    assert declared_charset(b'<?xml version="1.0" encoding="iso-8859-2"?>') == "iso-8859-2"
    assert declared_charset(b"<p>charset=none</p>") is None


@given(st.text(min_size=1, max_size=200), st.sampled_from([None, "utf-8", "iso-8859-1", "gb2312"]))
def test_utf8_stays_what_it_is(text: str, label: str | None) -> None:
    data = text.encode()
    try:
        assert decode(data, label) in (text, text.removeprefix("\ufeff"))
    except NotTextError:
        assert "\0" in text or any(ord(sign) < 32 or sign == "\ufffd" for sign in text)
    except AssertionError:
        assert b"\x1b$" in data or data.startswith((b"\xff\xfe", b"\xfe\xff")) or "\0" in text
