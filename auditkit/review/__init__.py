"""Review by people: a queue of transcripts, a terminal application and a static sheet to label them, samples for reliability."""
