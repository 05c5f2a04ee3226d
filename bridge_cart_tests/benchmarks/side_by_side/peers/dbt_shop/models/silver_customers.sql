{{ config(materialized='incremental', incremental_strategy='merge', unique_key='customer_id') }}
with cleaned as (
  select
    customer_id,
    country,
    coalesce(gender, 'unknown') as gender,
    {{ moment('updated_at') }} as updated_at,
    file
  from {{ ref('raw_customers') }}
  where run = '{{ invocation_id }}'
)
{{ newest('cleaned', 'customer_id') }}
