"""The index of the words in titles: FTS5 on SQLite, GIN on PostgreSQL."""

from typing import Any

from django.db import migrations

# Statement by statement: one script would commit the migration's own transaction.
FTS5 = (
    """CREATE VIRTUAL TABLE history_words USING fts5(
        words, content='history_article', content_rowid='id', tokenize='unicode61'
    )""",
    """CREATE TRIGGER history_words_insert AFTER INSERT ON history_article
    WHEN new.words <> '' BEGIN
        INSERT INTO history_words(rowid, words) VALUES (new.id, new.words);
    END""",
    """CREATE TRIGGER history_words_delete AFTER DELETE ON history_article
    WHEN old.words <> '' BEGIN
        INSERT INTO history_words(history_words, rowid, words)
        VALUES ('delete', old.id, old.words);
    END""",
    # An article is never given other words, only robbed of them: by a kill.
    """CREATE TRIGGER history_words_purge AFTER UPDATE OF words ON history_article
    WHEN old.words <> '' AND new.words = '' BEGIN
        INSERT INTO history_words(history_words, rowid, words)
        VALUES ('delete', old.id, old.words);
    END""",
)
GIN = ("CREATE INDEX history_words ON history_article USING gin (to_tsvector('simple', words))",)


def create(apps: Any, schema_editor: Any) -> None:  # noqa: ARG001 - Django passes both
    for statement in FTS5 if schema_editor.connection.vendor == "sqlite" else GIN:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("history", "0001_initial")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
