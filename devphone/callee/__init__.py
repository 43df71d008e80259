"""Who is called: the script they follow, or the person at the page, and what an onlooker sees of them."""
