"""Stand-in for mongorestore, which no package brings: the options that the documents use, and no others."""

import argparse
import gzip
from pathlib import Path
from typing import Any

import bson
from pymongo import MongoClient


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uri", required=True)
    parser.add_argument("--db", required=True)
    parser.add_argument("--gzip", action="store_true", required=True)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    with MongoClient[dict[str, Any]](given.uri) as client:
        for path in given.folder.glob("*.bson.gz"):
            documents = bson.decode_all(gzip.decompress(path.read_bytes()))
            if documents:
                client[given.db][path.name.removesuffix(".bson.gz")].insert_many(documents)


if __name__ == "__main__":
    main()
