"""Stand-ins for mongodump and mongorestore, which no package brings: the options that the documents use, and no others.

An archive here is BSON documents, gzipped: for each collection its name, then its documents.
"""

import argparse
import gzip
import sys
from pathlib import Path
from typing import Any

import bson
from pymongo import MongoClient
from pymongo.database import Database


def dump(database: Database[dict[str, Any]], archive: Path) -> None:
    with gzip.open(archive, "wb") as file:
        for name in database.list_collection_names():
            file.write(bson.encode({"collection": name}))
            for document in database[name].find():
                file.write(bson.encode({"document": document}))


def restore(database: Database[dict[str, Any]], archive: Path) -> None:
    with gzip.open(archive, "rb") as file:
        for one in bson.decode_file_iter(file):
            if "collection" in one:
                collection = database[one["collection"]]
            else:
                collection.insert_one(one["document"])


def main(tool: str, arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(tool)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--db", default="analytics")
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--gzip", action="store_true", required=True)
    given = parser.parse_args(arguments)
    with MongoClient[dict[str, Any]](given.uri) as client:
        {"mongodump": dump, "mongorestore": restore}[tool](client[given.db], given.archive)


if __name__ == "__main__":
    main(Path(sys.argv[1]).name, sys.argv[2:])
