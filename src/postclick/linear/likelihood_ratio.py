"""How much likelihood a value has to lose to be rejected."""

# Half the chi-square quantile with one degree of freedom, 95 %: likelihood ratio, Wilks, 1938.
CUT = 1.9207294103470267
