-- The whole schema, readable top to bottom. What is executed stands in migrations/; a test holds the two equal.
create table runs (
  run_id text primary key,               -- hash of the plan: the same command on the same content is the same run
  kind text not null default 'audit' check (kind in ('audit', 'import', 'calibration')),
  created_at text not null, used_at text not null, command text not null,  -- used_at: the last time somebody ran it
  manifest text not null check (json_valid(manifest)),
  planned_at text                        -- when the last of its cells was written; null means planning was cut off
) strict;
create table items (
  item_key text primary key, item_id text not null, dimension text not null, domain text not null,
  kind text not null default 'dilemma' check (kind in ('dilemma', 'survey', 'open')),
  body text not null check (json_valid(body))
) strict;
create table options (                   -- a label is an option id: two today, K later
  item_key text not null references items, option_id text not null, position integer not null,
  pole text check (pole in ('first', 'second')), value real, text text not null,
  primary key (item_key, option_id), unique (item_key, position)
) strict;
create table personas (                  -- a persona sentence as it was sent
  persona_key text primary key, template_id text not null, country text not null, strength text not null,
  lang text not null, text text not null, translator text, status text
) strict;
create table translations (              -- a dilemma's translation as it was sent
  translation_key text primary key, item_key text not null references items, lang text not null,
  translator text not null, engine text not null check (json_valid(engine)),
  body text not null check (json_valid(body)), source text not null,
  status text not null check (status in ('ok', 'suspect', 'accepted', 'edited'))
) strict;
create table requests (
  request_key text primary key,          -- hash of everything below
  provider text not null, model text not null, revision text,
  messages text check (messages is null or json_valid(messages)),   -- null where a prompt was not published
  params text not null check (json_valid(params)), sample integer not null
) strict;
create table cells (                     -- what a run asks for
  run_id text not null references runs, position integer not null,
  item_key text not null references items,
  mode text not null check (mode in ('baseline', 'persona', 'multilingual', 'crossed')),
  country text,                          -- ISO 3166 alpha-3; null only for baseline
  persona_key text references personas, lang text not null,
  translation_key text references translations,
  model text not null,                   -- as the user named it
  option_order text not null,            -- option ids as the question names them: 'ab', 'ba'; '' where an import does not show it
  sample integer not null, request_key text not null references requests,
  primary key (run_id, position),
  check ((mode = 'baseline') = (country is null)),
  check ((mode in ('persona', 'crossed')) = (persona_key is not null))
) strict, without rowid;
create index cells_by_request on cells (request_key);
create table replies (
  request_key text primary key references requests,
  status text not null check (status in ('ok', 'truncated', 'blocked', 'empty')),  -- facts of transport only
  text text not null, finish_reason text, reported_model text, reasoning text,
  tokens_in integer, tokens_out integer, tokens_reasoning integer,
  cost_usd real,                         -- null is unknown, never free
  latency_s real, created_at text not null
) strict;
create table judges (                    -- whoever assesses a reply: rules, a model, the authors of imported data
  judge_key text primary key, name text not null,
  kind text not null check (kind in ('rules', 'llm', 'agent', 'published')),
  task text not null check (task in ('gate', 'stance', 'culture', 'saying')),
  model text, config text not null check (json_valid(config))
) strict;
create table run_judges (                -- which judges a run asked for
  run_id text not null references runs, judge_key text not null references judges,
  presentations text not null default '["ab","ba"]' check (json_valid(presentations)),  -- [""] for rules and culture
  primary key (run_id, judge_key)
) strict, without rowid;
create table attempts (                  -- every call, successful or not, and what it cost
  attempt_id integer primary key, run_id text references runs,
  stage text not null check (stage in ('generate', 'judge', 'investigate', 'translate')),
  request_key text references requests, judge_key text references judges, presentation text,
  outcome text not null check (outcome in ('ok', 'rate_limited', 'transient', 'rejected', 'parse_failed', 'fatal')),
  http_status integer, error text, tokens_in integer, tokens_out integer, cost_usd real,
  ended_at text not null, seconds real
) strict;
create index attempts_by_run on attempts (run_id, stage, outcome);
create index attempts_by_judge on attempts (judge_key, request_key) where judge_key is not null;
create table screens (                   -- is there a text to judge at all? one row a reply and gate version
  request_key text not null references replies, judge_key text not null references judges,
  degenerate text check (degenerate in ('empty', 'one_char', 'loop', 'other')),
  reply_lang text, reply_lang_p real, language_mismatch integer check (language_mismatch in (0, 1)),
  created_at text not null,
  primary key (request_key, judge_key)
) strict, without rowid;
create table verdicts (                  -- what one judge says of one reply
  verdict_id integer primary key,
  request_key text not null references replies, judge_key text not null references judges,
  presentation text not null default '', -- order in which the options were shown to the judge; '' for rules
  status text not null check (status in ('ok', 'parse_failed')),
  outcome text check (outcome in ('chose', 'both', 'neither', 'refused', 'unclear', 'cut_off')),
  option_id text,
  reasoning_class text check (reasoning_class in ('none', 'persona_only', 'cultural_reasoning')),
  confidence real, uncertain integer check (uncertain in (0, 1)),
  detail text check (detail is null or json_valid(detail)), evidence text,
  raw text not null, created_at text not null,
  unique (request_key, judge_key, presentation),
  check ((outcome is 'chose') = (option_id is not null)),
  check (status = 'ok' or (outcome is null and reasoning_class is null)),
  check (status <> 'ok' or (outcome is null) <> (reasoning_class is null))
) strict;

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

-- one row a reply and stance judge: the two presentations combined before anything counts them
create view stances as
  select request_key, judge_key, count(*) as readings,
    case when sum(status = 'parse_failed') > 0 then 'parse_failed'
         when min(outcome || ':' || coalesce(option_id, '')) = max(outcome || ':' || coalesce(option_id, '')) then min(outcome)
         else 'unclear' end as outcome,
    case when sum(status = 'parse_failed') = 0 and count(distinct option_id) = 1 and sum(outcome is not 'chose') = 0
         then min(option_id) end as option_id,
    count(*) > 1 and count(distinct coalesce(option_id, outcome)) > 1 as flipped
  from verdicts v join judges j using (judge_key) where j.task = 'stance' group by 1, 2;

create view pending_generate as
  select c.run_id, c.model, c.request_key, min(c.position) as position from cells c
  where not exists (select 1 from replies r where r.request_key = c.request_key)
  group by 1, 2, 3;

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

create view spend as
  select run_id, stage, count(*) as calls, sum(cost_usd) as usd,
         sum(cost_usd is null and outcome in ('ok', 'parse_failed')) as unpriced_calls
  from attempts group by run_id, stage;
