"""Which pages the site has, and their text with links that lead to pages of the site.

The Markdown files stay where they are, and link to each other there. For the site they are copied beside each other,
line by line, with other links: one to a page leads to the page, one to a file of code to its listing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

import site_notebook

ROOT = Path(__file__).parent.parent.parent
ENGLISH, CHINESE = "en", "zh_CN"
FOLDERS = {ENGLISH: "", CHINESE: "zh/"}  # of the languages, in the site
GROUPS = {  # of the English pages, as the navigation shows them; a page that is in none is in the second
    "Begin": ["first-steps", "contents"],
    "Use": ["your-own-function", "check-a-gradient", "testing", "commands", "converting-weights", "comparing-layers"],
    "Mathematics": [
        *("derivation", "derivation-other-ways", "derivation-gates-and-stacks", "derivation-feedforward"),
        *("errata", "mistakes", "gradient-flow"),
    ],
    "Judgement": ["how-it-judges", "how-good-is-it", "detection", "benchmark"],
    "Reference": ["api", "architecture", "add-a-backend", "add-a-cell", "contributing", "changes"],
}
CHINESE_ORDER = [
    *("first-steps", "derivation", "derivation-other-ways", "derivation-gates-and-stacks", "derivation-feedforward"),
    "errata",
]
WRITTEN = {"api", "mistakes"}  # English pages that are written from the code
IMAGES = {".svg", ".png"}
SITE = "site:"  # before a link to another part of the site, which Sphinx does not know as a page

CODE = re.compile(r"(^(```+).*?^\2`*$|(`+)(?!`).+?(?<!`)\3(?!`))", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(\]\(\s*)([^)\s]+)(\s*\))|(^ {0,3}\[[^\]^]+\]:\s+)(\S+)", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//|#", re.IGNORECASE)  # on the internet, or on the page itself


class BrokenLinkError(ValueError):
    """A page of the site links to what is not there."""


def pages(language: str, root: Path = ROOT) -> dict[str, Path]:
    """The pages in a language: of each its name in the site, and its file.

    Args:
        language: `en` or `zh_CN`.
        root: of the repository.

    Returns:
        The files by name; the entrance is `index`.
    """
    if language == CHINESE:
        found = {page.stem: page for page in sorted((root / "docs" / "zh").glob("*.md"))}
        return {"index": found.pop("README"), **found} if found else {}
    return {
        "index": root / "README.md",
        "contents": root / "docs" / "README.md",
        **{page.stem: page for page in sorted((root / "docs").glob("*.md")) if page.stem != "README"},
        **{page.stem: page for page in sorted((root / "docs").glob("*.ipynb"))},
        **{page.stem: page for page in sorted((root / "manual").glob("*.md"))},
        "benchmark": root / "compare" / "bench" / "bench.md",
        "contributing": root / "CONTRIBUTING.md",
        "changes": root / "CHANGELOG.md",
    }


class Links:
    """Where the links of the pages lead in the site."""

    def __init__(self, language: str, root: Path = ROOT) -> None:
        self.root = root
        self.language = language
        self.page_of = {file: (of, name) for of in FOLDERS for name, file in pages(of, root).items()}
        self.images: set[Path] = set()
        self.listed: set[Path] = set()  # files and folders of code that something links to

    def rewritten(self, text: str, page: Path) -> str:
        """A page's text with the links of the site; in code nothing is a link.

        Args:
            text: of the page, or a part of it.
            page: its file.

        Raises:
            BrokenLinkError: a link leads nowhere.
        """
        parts = CODE.split(text)
        # of each split: text, the code, and its two kinds of quotes
        return "".join(
            LINK.sub(lambda link: self._replaced(link, page), part) if number % 4 == 0 else part
            for number, part in enumerate(parts)
            if number % 4 < 2
        )

    def target(self, link: str, page: Path) -> str:
        """Where a relative link of a page leads in the site.

        Args:
            link: as it is written.
            page: the file that it is written in.

        Raises:
            BrokenLinkError: it leads nowhere.
        """
        path, _, anchor = unquote(link).partition("#")
        file = (page.parent / path).resolve()
        fragment = f"#{anchor}" if anchor else ""
        if file in self.page_of:
            language, name = self.page_of[file]
            if language == self.language:
                return f"{name}.md{fragment}"
            return f"{SITE}{self.to_top}{FOLDERS[language]}{name}.html{fragment}"
        if not (file.exists() and file.is_relative_to(self.root)):
            raise BrokenLinkError(f"{page.relative_to(self.root)}: the link {link!r} leads nowhere")
        if file.suffix in IMAGES:
            self.images.add(file)
            return file.name
        self.listed.add(file)
        return f"{SITE}{self.to_top}{listing_name(file, self.root)}.html{fragment}"

    @property
    def to_top(self) -> str:
        """From a page of the language to the site's first folder."""
        return "../" * FOLDERS[self.language].count("/")

    def _replaced(self, link: re.Match[str], page: Path) -> str:
        before, target, after = (link[1], link[2], link[3]) if link[2] else (link[4], link[5], "")
        return before + (target if ELSEWHERE.match(target) else self.target(target, page)) + after


def listing_name(file: Path, root: Path = ROOT) -> str:
    """The name of the page that lists a file or a folder of code."""
    return f"source/{file.relative_to(root).as_posix()}" + ("/index" if file.is_dir() else "")


def gather(language: str, folder: Path, root: Path = ROOT) -> Links:
    """Writes the pages of a language, and their pictures, beside each other.

    Args:
        language: `en` or `zh_CN`.
        folder: is emptied first.
        root: of the repository.

    Returns:
        What the pages link to.

    Raises:
        BrokenLinkError: one of them links to what is not there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    links = Links(language, root)
    for name, file in pages(language, root).items():
        text = site_notebook.as_markdown(file) if file.suffix == ".ipynb" else file.read_text(encoding="utf-8")
        (folder / f"{name}.md").write_text(links.rewritten(text, file), encoding="utf-8")
    for image in links.images:
        shutil.copy(image, folder)
    with (folder / "index.md").open("a", encoding="utf-8") as index:
        index.write(navigation(language, pages(language, root)))
    return links


def navigation(language: str, names: Iterable[str]) -> str:
    """The navigation, as hidden `toctree` directives.

    Args:
        language: `en` or `zh_CN`.
        names: of the pages.
    """
    groups = {"": CHINESE_ORDER} if language == CHINESE else GROUPS
    placed = {name for group in groups.values() for name in group}
    others = [name for name in names if name not in placed and name != "index"]
    shown = []
    for number, (caption, group) in enumerate(groups.items()):
        there = [name for name in group if name in names or name in WRITTEN]
        entries = "\n".join([*there, *(others if number == min(1, len(groups) - 1) else [])])
        title = f":caption: {caption}\n" if caption else ""
        shown.append(f"\n```{{toctree}}\n:hidden:\n{title}\n{entries}\n```\n")
    return "".join(shown)


def files_listed(root: Path = ROOT) -> list[Path]:
    """What the site lists: the derivation's code, and what pages link to, with the files of linked folders.

    Args:
        root: of the repository.

    Raises:
        BrokenLinkError: a page links to what is not there.
    """
    linked: set[Path] = set()
    for language in FOLDERS:
        links = Links(language, root)
        for page in pages(language, root).values():
            links.rewritten(page.read_text(encoding="utf-8"), page)
        linked |= links.listed
    inside = {
        path for folder in linked if folder.is_dir() for path in folder.iterdir() if path.suffix in {".py", ".md"}
    }
    return sorted({*linked, *inside, *(root / "manual").glob("*.py")})
