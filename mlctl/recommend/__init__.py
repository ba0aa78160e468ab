"""A recommender: what people did, and what things are, to the things that come next for somebody.

  forms      what a fitted recommender is: tables, and how they score every item for any history
  blends     several forms as one, mixed by how much is known about somebody
  answering  `Recommender`: the opened release; histories to answers, exactly, in NumPy
  sealing    a release as files: tables of vectors, weights and items, golden histories; sealed and opened

Whoever builds an index, a server or a batch on top needs `answering.Recommender` alone, opened by
`sealing.open_recommender(folder, next_step)`:

  items            one row an item: its id (`item_key`), the columns that filters may name, `content_sha256`
  item_vectors     float32 (items, dimension), the rows in the order of `items`; all zero where nothing is known
  stamp            which model, preprocessing and dimension made them; vectors of another stamp must not be mixed
  encode(table)    the same vectors for items that are new or changed, from their texts
  user_vector(ids) float32 (dimension,): its inner product with an item's vector is the score of that item where
                   `vectors_are_exact`, else the share of those parts of the model that have vectors: then take more
                   candidates than are asked for and let `recommend(..., allowed=candidates)` put them in order
  recommend(...)   exact answers: items, scores, because of which items of the history, state, variant and reason
  similar(...)     neighbours of an item by the cosine of their vectors

A history is item ids, oldest first; ids that the release does not know are left out. Nothing here reads a clock or a
file after it was opened, and nothing is random.
"""
