"""The reviewer's dashboard: what waits for a review, on which evidence, and who was champion when. It only reads."""
