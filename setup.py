"""What pyproject.toml can't say: the modules that are compiled, where there is a C compiler."""

from setuptools import Extension, setup

setup(
    # On two cores that takes half the time.
    options={"build_ext": {"parallel": True}},
    # Without a C compiler the suite is installed all the same, and does some work at twice the cost.
    ext_modules=[
        Extension(f"analytics.core.{name}", [f"analytics/core/{name}.pyx"], optional=True)
        for name in ("accts", "journal_scan", "plain", "remap", "scan", "texts")
    ],
)
