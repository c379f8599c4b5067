"""An audit: has learning found the best curve? Its runs, their verdict, and how it is written."""
