{{ config(materialized='table') }}
with calendar as (
  select unnest(generate_series(min(seen.day), any_value(as_of.day), interval 1 day))::date as day
  from {{ ref('seen') }} as seen, {{ ref('as_of') }} as as_of
  where seen.kind = 'sale'
),
first_sales as (
  select min(day) as day from {{ ref('seen') }} where kind = 'sale' group by customer_id
),
sales as (
  select
    day,
    count(distinct order_id) as orders,
    count(*) as lines,
    count(distinct customer_id) as active_customers,
    sum(net) as revenue,
    sum(discount) as discounts
  from {{ ref('seen') }}
  where kind = 'sale'
  group by day
),
newcomers as (select day, count(*) as new_customers from first_sales group by day),
given_back as (
  select day, -sum(net) as refunds from {{ ref('seen') }} where kind = 'refund' group by day
)
select
  day,
  coalesce(orders, 0) as orders,
  coalesce(lines, 0) as lines,
  coalesce(active_customers, 0) as active_customers,
  coalesce(new_customers, 0) as new_customers,
  coalesce(revenue, 0) as revenue,
  coalesce(discounts, 0) as discounts,
  coalesce(refunds, 0) as refunds,
  coalesce(revenue, 0) - coalesce(refunds, 0) as net_revenue
from calendar
left join sales using (day)
left join newcomers using (day)
left join given_back using (day)
