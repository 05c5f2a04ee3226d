"""The data dictionary and the documentation's SQL."""

from pathlib import Path

from bridge_cart_assets.dictionary import all_tables, dictionary

DOCS = Path(__file__).parents[2] / "docs"


def test_the_data_dictionary_is_current() -> None:
    # After a change of tables/: make dictionary
    assert (DOCS / "data_dictionary.md").read_text() == dictionary(all_tables())


def test_every_table_and_column_has_a_meaning() -> None:
    for table in all_tables():
        assert table.description
        assert table.key
        for column in table.columns:
            assert table.meaning(column), f"{table.path}.{column}"


def test_what_is_declared_is_what_the_contract_names() -> None:
    paths = {table.path for table in all_tables()}
    gold = ("customer_features", "customer_value", "customer_segments", "customer_history")
    more = ("segment_metrics", "segment_migration", "kpis_daily", "cohort_retention")
    models = ("segment_model", "model_metrics")
    assert {f"gold/{name}" for name in (*gold, *more, *models)} <= paths
    silver = ("purchases", "customers", "quarantine", "accounting")
    assert {f"silver/{name}" for name in silver} <= paths
