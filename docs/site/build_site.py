"""Builds the site: `python docs/site/build_site.py FOLDER`. A warning, or a link that leads nowhere, ends it with 1."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import check_site
import site_api
import site_mistakes
import site_pages

HERE = Path(__file__).parent


def build(language: str, source: Path, site: Path) -> int:
    """Builds the pages of a language.

    Args:
        language: `en` or `zh_CN`.
        source: a folder for the pages as Sphinx reads them.
        site: the site's folder.

    Returns:
        The exit code of Sphinx.
    """
    site_pages.gather(language, source)
    if language == site_pages.ENGLISH:
        site_api.write_pages(source)
        site_mistakes.write_page(source)
    tags = ["-t", "chinese"] if language == site_pages.CHINESE else []
    options = ["-c", str(HERE), "-b", "html", "-d", f"{source}-doctrees", "-W", "--keep-going", "-q", *tags]
    folder = site / site_pages.FOLDERS[language]
    return subprocess.run([sys.executable, "-m", "sphinx", *options, str(source), str(folder)], check=False).returncode


def main() -> int:
    """Builds and checks the site in the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Builds the site.")
    parser.add_argument("folder", type=Path, help="the site's folder, which is emptied first")
    site = parser.parse_args().folder
    began = time.monotonic()
    shutil.rmtree(site, ignore_errors=True)
    with tempfile.TemporaryDirectory() as work:
        for language in site_pages.FOLDERS:
            try:
                failed = site_pages.pages(language) and build(language, Path(work) / language, site)
            except site_pages.BrokenLinkError as error:
                parser.exit(1, f"{error}\n")
            if failed:
                return 1
    found = check_site.faults(site)
    for module, page in site_api.MODULES.items():
        names = [f"{module}.{name}" for name in site_api.public_names(module)]
        found += [f"{page} lacks {name}" for name in check_site.missing(names, site / f"{page}.html")]
    for fault in found:
        print(fault, file=sys.stderr)
    files = [path for path in site.rglob("*") if path.is_file()]
    pages = sum(path.suffix == ".html" for path in files)
    size = sum(path.stat().st_size for path in files) / 2**20
    print(f"{site / 'index.html'}: {pages} pages, {size:.1f} MiB, {time.monotonic() - began:.0f} s")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
