"""How Sphinx builds these pages: `make docs`. Offline, and every warning is an error.

Open it to change the theme, or what is generated from the code.
"""

from __future__ import annotations

import sys
from pathlib import Path

import qsense

sys.path.insert(0, str(Path(__file__).parent))  # where from_the_code.py lies

project = "qsense"
author = "the qsense authors"
project_copyright = author
version = release = qsense.__version__

extensions = [
    "myst_nb",  # Markdown pages and notebooks
    "sphinx.ext.autodoc",  # the library's reference, from docstrings …
    "sphinx.ext.napoleon",  # … with sections such as Args and Raises
    "sphinx_copybutton",
    "from_the_code",  # the configuration's and the commands' reference
]
exclude_patterns = ["_build", "samples", "**.ipynb_checkpoints"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
nb_execution_mode = "off"  # notebooks are kept with what they print; a test runs them
nb_merge_streams = True

default_role = "literal"  # docstrings write `name`
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"qsense {version}"
html_static_path = ["style"]
html_css_files = ["qsense.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
