{{ config(materialized='view') }}
select purchases.*
from {{ ref('silver_purchases') }} as purchases, {{ ref('as_of') }} as as_of
where purchases.day <= as_of.day
