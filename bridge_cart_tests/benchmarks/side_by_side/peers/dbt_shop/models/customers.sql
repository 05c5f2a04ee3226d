{{ config(materialized='table') }}
with bought as (
  select
    customer_id,
    min(day) as first_purchase_day,
    max(day) as last_purchase_day,
    count(distinct order_id) as orders,
    count(*) as lines,
    count(distinct day) - 1 as frequency,
    sum(net) as revenue,
    count(distinct date_trunc('month', day)) as active_months
  from {{ ref('seen') }}
  where kind = 'sale'
  group by customer_id
),
spent as (
  select customer_id, category, sum(net) as net
  from {{ ref('seen') }}
  where kind = 'sale'
  group by customer_id, category
),
favourites as (
  select customer_id, category as top_category
  from spent
  qualify row_number() over (partition by customer_id order by net desc, category) = 1
),
given_back as (
  select customer_id, -sum(net) as refunds
  from {{ ref('seen') }}
  where kind = 'refund'
  group by customer_id
)
select
  bought.*,
  top_category,
  coalesce(refunds, 0) as refunds,
  revenue - coalesce(refunds, 0) as historic_clv,
  as_of.day - last_purchase_day as recency_days,
  as_of.day - first_purchase_day as tenure_days,
  as_of.day - last_purchase_day >= 90 as is_churned,
  country,
  coalesce(gender, 'unknown') as gender
from bought
join favourites using (customer_id)
left join given_back using (customer_id)
left join {{ ref('silver_customers') }} using (customer_id)
cross join {{ ref('as_of') }} as as_of
order by customer_id
