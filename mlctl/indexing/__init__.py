"""What becomes of a recommender's vectors: put into the database, made anew, and watched as they age.

ground        the release that answers, the items of today, what users had
making        `mlctl index`: histories, items and the index that servers read
lists         `mlctl score`: everybody's best items into the scores table
decaying      `mlctl decay`: what has become of the index that answers
reembedding   `mlctl reembed --plan`: how much would have to be made anew, for what, and when
"""
