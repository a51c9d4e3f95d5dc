#![no_main]
ntk_fuzz::reads!(FITTED);
