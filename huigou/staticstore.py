"""Static files with a hash in their names, our own JavaScript modules' imports included."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Storage(CompressedManifestStaticFilesStorage):
    """Rewrite ``import "./x.js"`` in our own modules too, so that a release never mixes old and new modules.

    Only ours: the bundles of other packages hold text that looks like imports and names files that do not exist.
    """

    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("huigou/js/*.js", CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1]),
    )
