-- Flags, second judges, calibrations, samples and labels; what was asked of a second judge only when it is referred.
create table second_judges (             -- judges of a run that read only what is referred to them
  run_id text not null references runs, judge_key text not null references judges,
  random_share real not null check (random_share between 0 and 1),  -- of the replies, referred whatever the first judges said
  primary key (run_id, judge_key)
) strict, without rowid;
create table referrals (                 -- what a second judge reads, and why
  run_id text not null references runs, judge_key text not null references judges,
  request_key text not null references replies,
  reason text not null check (reason in ('disagreement', 'uncertain', 'injection', 'random')),
  primary key (run_id, judge_key, request_key)
) strict, without rowid;
create table flags (                     -- what a detector or judge found, with a verbatim span
  flag_id integer primary key,
  request_key text not null references replies, judge_key text not null references judges,
  family text not null check (family in ('stereotype', 'hallucination', 'voice', 'value', 'trace', 'premise', 'language', 'injection')),
  kind text not null,                    -- category of the family: emblem_cliche, unattested_saying, phonetic, ...
  rule_id text not null default '',      -- what a rule found says which rule
  start integer not null, stop integer not null check (stop > start),  -- code points in replies.text, as it came
  evidence text not null, severity integer check (severity between 1 and 3),
  status text check (status in ('attested', 'contradicted', 'unverified')), source_id text,
  weight real, confidence real, rationale text,
  check (status is not 'attested' or source_id is not null),
  unique (request_key, judge_key, family, kind, rule_id, start, stop)
) strict;
create index flags_by_severity on flags (severity, request_key, family);
create table judge_steps (               -- what an investigator did before it answered
  request_key text not null references replies, judge_key text not null references judges,
  step integer not null, tool text not null, arguments text not null check (json_valid(arguments)),
  result text not null, tokens_in integer, tokens_out integer, cost_usd real,
  primary key (request_key, judge_key, step)
) strict, without rowid;
create table calibrations (              -- how a judge did on a labelled set
  judge_key text not null references judges, label_set text not null,
  stratum text not null,                 -- '' for all of the set, else such as 'lang=deu_Latn'
  metric text not null, value real, low real, high real, n integer not null, created_at text not null,
  primary key (judge_key, label_set, stratum, metric)
) strict, without rowid;
create table samples (                   -- replies drawn for people to label
  sample_id text primary key, spec text not null check (json_valid(spec)), created_at text not null
) strict;
create table sample_items (
  sample_id text not null references samples, request_key text not null references replies,
  stratum text not null, weight real not null check (weight > 0),  -- replies of the run that one of the sample stands for
  primary key (sample_id, request_key)
) strict, without rowid;
create table labels (                    -- what a person said; append-only, the latest row counts
  label_id integer primary key,
  request_key text not null references replies, flag_id integer references flags,
  sample_id text references samples,
  reviewer text not null, role text not null check (role in ('rater', 'adjudicator')),
  field text not null check (field in ('stance', 'reasoning_class', 'stereotype', 'hallucination', 'voice', 'flag', 'note')),
  value text not null,                   -- '' takes the label back
  note text not null default '',
  blind integer not null check (blind in (0, 1)), uncertain integer not null default 0 check (uncertain in (0, 1)),
  seconds real, created_at text not null
) strict;
create index labels_by_reply on labels (request_key, reviewer, field, label_id);

create view current_labels as
  select * from labels l where value <> '' and not exists (select 1 from labels m
    where m.request_key = l.request_key and m.reviewer = l.reviewer and m.role = l.role and m.field = l.field
      and m.flag_id is l.flag_id and m.label_id > l.label_id);

drop view pending_judge;
drop view answers;

-- truncated replies are judged too: most hold the choice, and cut_off is an outcome; a second judge reads what is referred
create view pending_judge as
  select c.run_id, rj.judge_key, p.value as presentation, c.request_key, min(c.position) as position
  from cells c
  join run_judges rj using (run_id)
  join judges j using (judge_key)
  join json_each(rj.presentations) p
  join replies r using (request_key)
  where j.task <> 'gate' and r.status in ('ok', 'truncated')
    and not exists (select 1 from screens s where s.request_key = r.request_key and s.degenerate is not null)
    and not exists (select 1 from verdicts v
      where v.request_key = c.request_key and v.judge_key = rj.judge_key and v.presentation = p.value)
    and (not exists (select 1 from second_judges d where d.run_id = c.run_id and d.judge_key = rj.judge_key)
      or exists (select 1 from referrals f
        where f.run_id = c.run_id and f.judge_key = rj.judge_key and f.request_key = c.request_key))
  group by 1, 2, 3, 4;

-- the tidy table: one row a cell and stance judge of its run (second judges apart, whose readings a consensus counts);
-- what has no reply or no verdict yet has nulls there
create view answers as
  select c.run_id, c.position, c.model, c.mode, c.country, c.lang, i.item_id, i.dimension, i.domain, p.template_id,
         c.option_order, c.sample, c.request_key, c.item_key, c.translation_key,
         r.status as reply_status, r.finish_reason, r.text, r.reported_model, r.tokens_in, r.tokens_out,
         r.cost_usd, r.latency_s, r.created_at,
         (select max(s.degenerate) from screens s where s.request_key = c.request_key) as degenerate,
         (select s.reply_lang from screens s where s.request_key = c.request_key and s.reply_lang is not null
          order by s.created_at desc limit 1) as reply_lang,
         (select s.language_mismatch from screens s where s.request_key = c.request_key and s.language_mismatch is not null
          order by s.created_at desc limit 1) as language_mismatch,
         j.judge_key as judge_key, j.name as judge, s.readings, s.outcome, s.option_id, o.pole, s.flipped,
         case when s.outcome is 'chose' then o.pole is 'first' end as first_pole
  from cells c
  join items i using (item_key)
  left join personas p using (persona_key)
  left join replies r using (request_key)
  left join (run_judges rj join judges j on j.judge_key = rj.judge_key and j.task = 'stance' and not exists
    (select 1 from second_judges d where d.run_id = rj.run_id and d.judge_key = rj.judge_key)) on rj.run_id = c.run_id
  left join stances s on s.request_key = c.request_key and s.judge_key = j.judge_key
  left join options o on o.item_key = c.item_key and o.option_id = s.option_id;

-- one row a cell and culture judge of its run: the reasoning class, and how much was flagged
create view cultures as
  select c.run_id, c.position, c.model, c.mode, c.country, c.lang, i.item_id, i.dimension, c.sample, c.request_key,
         j.judge_key, j.name as judge, v.status, v.reasoning_class, v.uncertain, v.confidence,
         case when v.status = 'ok' then (select count(*) from flags f where f.request_key = c.request_key
           and f.judge_key = j.judge_key and f.family = 'stereotype') end as stereotypes,
         case when v.status = 'ok' then (select count(*) from flags f where f.request_key = c.request_key
           and f.judge_key = j.judge_key and f.family = 'hallucination' and f.status is not 'attested') end as hallucinations,
         (select max(f.severity) from flags f where f.request_key = c.request_key and f.judge_key = j.judge_key) as severity
  from cells c
  join items i using (item_key)
  join run_judges rj using (run_id)
  join judges j on j.judge_key = rj.judge_key and j.task = 'culture'
  left join verdicts v on v.request_key = c.request_key and v.judge_key = j.judge_key and v.presentation = '';
