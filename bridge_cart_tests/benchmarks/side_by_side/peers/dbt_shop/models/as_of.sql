{{ config(materialized='table') }}
select max(list_max(regexp_extract_all(parse_filename(file), '\d{4}-\d{2}-\d{2}')))::date as day
from {{ ref('raw_purchases') }}
