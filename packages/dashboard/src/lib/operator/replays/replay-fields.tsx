import { Select } from '../../parts/select.tsx'
import type { Reader } from '../../reader/reader.ts'
import { CLASSES } from '../../history/delivery-choices.ts'
import { type FIELDS, WHATS } from './replay-form.ts'

/** The form of a replay, as the query has it. */
export type ReplayQuery = Record<(typeof FIELDS)[number], string | undefined>

/** Filters of a list that the form has no field for: they stay as they are. */
const KEPT = ['error', 'code', 'event'] as const

export function ReplayFields({
  query,
  types,
  isCounted,
  reader,
}: {
  query: ReplayQuery
  /** Of the catalog; empty without one. */
  types: readonly string[]
  isCounted: boolean
  reader: Reader
}) {
  const { text, link } = reader
  return (
    <form method="get" action={link('replays', 'new')} class="sec stack form">
      <fieldset class="stack">
        <legend>{text('replay.what')}</legend>
        {WHATS.map((what) => (
          <label class="check">
            <input type="radio" name="what" value={what} checked={what === (query.what ?? 'failed')} />
            <span>
              {text(`what.${what}`)}
              <br />
              <span class="help">{text(`what_help.${what}`)}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {KEPT.map((name) =>
        query[name] === undefined ? null : <Kept name={name} value={query[name]} reader={reader} />,
      )}
      <div class="cols">
        <Text name="endpoint" label={text('replay.endpoint_id')} query={query} reader={reader} />
        <div class="field">
          <label for="workspace">{text('fact.workspace')}</label>
          <input id="workspace" name="workspace" required value={query.workspace ?? ''} />
        </div>
      </div>
      <div class="cols">
        {types.length === 0 ? (
          <Text name="type" label={text('column.type')} query={query} reader={reader} />
        ) : (
          <div class="field">
            <span aria-hidden="true">{text('column.type')}</span>
            <Select
              name="type"
              label={text('column.type')}
              value={query.type}
              choices={[['', text('filter.all_types')], ...types.map((type) => [type, type] as const)]}
            />
          </div>
        )}
        <div class="field">
          <span aria-hidden="true">{text('column.response')}</span>
          <Select
            name="http"
            label={text('column.response')}
            value={query.http}
            choices={[
              ['', text('filter.any_response')],
              ...CLASSES.map(([value, name]) => [value, text(name)] as const),
            ]}
          />
        </div>
      </div>
      <div class="cols">
        <div class="field">
          <label for="from">{text('replay.from')}</label>
          <input id="from" name="from" type="datetime-local" step="1" value={query.from ?? ''} />
        </div>
        <div class="field">
          <label for="to">
            {text('replay.to')} <span class="opt">{text('replay.to_now')}</span>
          </label>
          <input id="to" name="to" type="datetime-local" step="1" value={query.to ?? ''} />
        </div>
      </div>
      <div class="field">
        <label for="rate">
          {text('replay.rate')} <span class="opt">{text('form.optional')}</span>
        </label>
        <input id="rate" name="rate" type="number" min="1" max="10000" class="short" value={query.rate ?? ''} />
        <p class="help">{text('replay.rate_help')}</p>
      </div>
      <div>
        <button class="btn" type="submit">
          {text(isCounted ? 'replay.count_again' : 'replay.count')}
        </button>
      </div>
    </form>
  )
}

function Text({
  name,
  label,
  query,
  reader: { text },
}: {
  name: 'endpoint' | 'type'
  label: string
  query: ReplayQuery
  reader: Reader
}) {
  return (
    <div class="field">
      <label for={name}>
        {label} <span class="opt">{text('form.optional')}</span>
      </label>
      <input id={name} name={name} value={query[name] ?? ''} spellcheck={false} />
    </div>
  )
}

function Kept({ name, value, reader: { text } }: { name: (typeof KEPT)[number]; value: string; reader: Reader }) {
  return (
    <label class="check">
      <input type="checkbox" name={name} value={value} checked />
      <span>
        {text(`replay.only_${name}`)} <span class="mono">{value}</span>
      </span>
    </label>
  )
}
