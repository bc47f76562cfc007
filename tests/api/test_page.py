"""The page at `/` is made of files of this server, and trusts nothing else."""

import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api_routes.routes.page import FILES, FOLDER, PIPELINES, choices
from tests.docs.markdown import REPOSITORY

OURS = sorted(name for name in FILES if not name.startswith("vendor/"))
IMPORTS = re.compile(r"""(?:from|import|Asking\() ?"([^"]+\.m?js)\"""")
# What turns a string into markup or code.
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|parseFromString"
    r"|srcdoc|\beval\b|new Function|setTimeout\(\s*[\"'`]|importScripts"
)
POLICY = {
    "default-src": "'self'",
    "media-src": "'self' blob:",
    "worker-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
# mp4box 2.4.1 as it is on npm (BSD-3-Clause), in the form of sha256sum.
LIBRARY = "vendor/mp4box-2.4.1"
HASHES = """
34fa8fd681e8b63998ca9e4c3b477830dd11310c8aaedc37ecb8f49c5452d259  mp4box.all.mjs
183552fe973134bce551888434b581d5a2cb695a82d8907e2cd9d2b61e12ce24  rolldown-runtime-w6R9maHv.mjs
ae15acb79233251b72af7f7cc9f47e7f47cadb209206753b7000b502a2391049  styp-9TIZZDLN.mjs
"""


class Markup(HTMLParser):
    """The names of elements and attributes, what is linked, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.inline = ""
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.inline += data.strip() if self._within in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._within = ""


@pytest.mark.parametrize("path", ["/", *(f"/page/{name}" for name in sorted(FILES))])
def test_it_is_told_to_load_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    directives = answer.headers["content-security-policy"].split("; ")
    assert dict(directive.split(" ", 1) for directive in directives) == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    kinds = {
        "": "html",
        ".js": "javascript",
        ".mjs": "javascript",
        ".css": "css",
        ".svg": "svg+xml",
    }
    kind = answer.headers["content-type"].partition(";")[0].partition("/")[2]
    assert kind == kinds[Path(path).suffix]
    if path != "/":
        again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_nothing_is_inline_and_all_that_is_linked_is_there(client: TestClient) -> None:
    page = Markup(client.get("/").text)
    assert page.inline == ""
    assert not {name for name in page.attributes if name == "style" or name.startswith("on")}
    below = TestClient(client.app, root_path="/jobs")  # as behind a proxy
    for link in page.links:
        assert below.get(f"/jobs/{link}").status_code == 200, link


@pytest.mark.parametrize("name", OURS)
def test_what_it_imports_is_there_and_strings_stay_strings(name: str) -> None:
    text = FILES[name].read_text()
    assert not SINKS.search(text)
    assert "//" not in re.sub(r"//[ \n].*|http://www.w3.org/2000/svg", "", text)
    for imported in IMPORTS.findall(text):
        assert (FILES[name].parent / imported).resolve() in FILES.values(), imported


def test_the_library_is_that_of_npm_and_its_licence_is_kept() -> None:
    vendored = {name: FILES[name] for name in FILES if name not in OURS}
    hashes = {
        f"{LIBRARY}/{name}": digest
        for digest, name in (line.split() for line in HASHES.strip().splitlines())
    }
    assert {
        name: sha256(path.read_bytes()).hexdigest() for name, path in vendored.items()
    } == hashes
    licence = (REPOSITORY / "licenses/mp4box.txt").read_text()
    assert licence.startswith("Copyright (c) 2012. Telecom ParisTech/TSI/MM/GPAC Cyril Concolato")
    assert "mp4box.txt" in (REPOSITORY / "README.md").read_text()


def test_it_names_the_pipelines_that_there_are(client: TestClient) -> None:
    page = client.get("/").text
    assert PIPELINES not in page
    assert '<option value="nothing">nothing</option>' in page
    assert choices(["barcodes", "ocr"]).count('" selected>ocr: text</option>') == 1
    assert choices(['"><b>']) == '<option value="&quot;&gt;&lt;b&gt;">&quot;&gt;&lt;b&gt;</option>'


def test_nothing_but_its_files_is_handed_out(client: TestClient) -> None:
    for path in ("index.html", "..%2fmain.py", "../main.py", "vendor", "/etc/passwd", ""):
        assert client.get(f"/page/{path}").status_code == 404
    assert {path.suffix for path in FOLDER.rglob("*") if path.is_file()} <= {
        *{path.suffix for path in FILES.values()},
        ".html",
    }
