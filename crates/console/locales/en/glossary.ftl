nav-glossary = Glossary
glossary-title = Glossary
glossary-lead = Terms of IoT security as they are used here, in Japanese and English.
glossary-search = Search for a term
glossary-find = Search
glossary-index = Index
glossary-all = All
glossary-count = { $count ->
    [one] { $count } term
   *[other] { $count } terms
}
glossary-nothing = No term holds these words. Try another spelling, or look through the index.
glossary-other = In Japanese
glossary-reading = Reading
glossary-source = At home in
glossary-see = See also
