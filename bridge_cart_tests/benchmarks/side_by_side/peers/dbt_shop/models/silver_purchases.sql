{{ config(
  materialized='incremental', incremental_strategy='merge', unique_key=['order_id', 'line_number']
) }}
with typed as (
  select
    order_id,
    line_number::integer as line_number,
    customer_id,
    {{ moment('purchase_date') }}::date as day,
    purchase_amount::decimal(18, 2) as amount,
    coalesce(discount_amount, '0')::decimal(18, 2) as discount,
    coalesce(product_category, 'unknown') as category,
    status,
    {{ moment('updated_at') }} as updated_at,
    file
  from {{ ref('raw_purchases') }}
  where run = '{{ invocation_id }}'
),
cleaned as (
  select
    *,
    amount - discount as net,
    case
      when status in ('cancelled', 'refunded') and amount > 0 then 'cancelled'
      when amount < 0 then 'refund'
      when amount > 0 then 'sale'
      else 'free'
    end as kind
  from typed
)
{{ newest('cleaned', 'order_id, line_number') }}
