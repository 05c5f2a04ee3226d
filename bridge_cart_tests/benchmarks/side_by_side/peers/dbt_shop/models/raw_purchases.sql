{{ config(materialized='incremental', incremental_strategy='append') }}
{{ landed('purchases', [
  'order_id', 'line_number', 'customer_id', 'purchase_date', 'purchase_amount', 'discount_amount',
  'coupon_used', 'payment_method', 'product_category', 'quantity', 'status', 'updated_at',
]) }}
