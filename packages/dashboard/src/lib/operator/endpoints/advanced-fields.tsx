import type { PlainKey } from '../../language/text.ts'
import type { Reader } from '../../reader/reader.ts'
import type { Typed } from './endpoint-input.ts'

const PERIODS: readonly (readonly [period: string, name: PlainKey])[] = [
  ['second', 'period.second'],
  ['minute', 'period.minute'],
  ['hour', 'period.hour'],
]

/** The fields of an endpoint that few need. */
export function AdvancedFields({
  typed,
  versions,
  headerNames,
  isOpen,
  reader,
}: {
  typed: Typed
  /** The labels of the catalog, the oldest first. */
  versions: readonly string[]
  /** The headers that the endpoint has. */
  headerNames: readonly string[]
  isOpen: boolean
  reader: Reader
}) {
  const { text } = reader
  return (
    <details class="fold adv" open={isOpen}>
      <summary>
        {text('form.advanced')} <span class="opt">{text('form.advanced_what')}</span>
      </summary>
      <div class="stack">
        <div class="field">
          <label for="filter">{text('fact.filter')}</label>
          <textarea id="filter" name="filter" rows={4} spellcheck={false} class="mono" aria-describedby="filter-h">
            {typed.filter}
          </textarea>
          <p class="help" id="filter-h">
            {text.rich('form.filter_help', {
              example: <span class="mono">{'{ "data.channel": { "$in": ["general"] } }'}</span>,
            })}
          </p>
        </div>
        <Headers typed={typed} names={headerNames} reader={reader} />
        <div class="cols">
          <div class="field">
            <label for="rate">
              {text('fact.rate')} <span class="opt">{text('form.requests')}</span>
            </label>
            <input
              id="rate"
              name="rate"
              type="number"
              min="1"
              max="10000"
              value={typed.rate}
              placeholder={text('none')}
            />
          </div>
          <div class="field">
            <label for="ratePeriod">{text('form.period')}</label>
            <select id="ratePeriod" name="ratePeriod">
              {PERIODS.map(([period, name]) => (
                <option value={period} selected={period === typed.ratePeriod}>
                  {text(name)}
                </option>
              ))}
            </select>
          </div>
        </div>
        <div class="cols">
          <Field name="deadline" label={text('form.deadline')} placeholder={text('default')} typed={typed} />
          <Field name="concurrency" label={text('form.concurrency')} placeholder={text('default')} typed={typed} />
        </div>
        <div class="cols">
          <Field name="retryStatuses" label={text('form.retry_statuses')} placeholder="409, 423" typed={typed} />
          <Field name="channels" label={text('fact.channels')} placeholder={text('form.all_channels')} typed={typed} />
        </div>
        {versions.length === 0 ? (
          <input type="hidden" name="version" value={typed.version} />
        ) : (
          <div class="field">
            <label for="version">{text('fact.event_version')}</label>
            <select id="version" name="version" class="auto">
              {typed.version === '' ? <option value="">{text('form.oldest_version')}</option> : null}
              {versions.toReversed().map((label) => (
                <option value={label} selected={label === typed.version}>
                  {label}
                </option>
              ))}
            </select>
          </div>
        )}
      </div>
    </details>
  )
}

/** The values of headers are never shown, so all of them are typed anew, or stay. */
function Headers({ typed, names, reader: { text } }: { typed: Typed; names: readonly string[]; reader: Reader }) {
  return (
    <div class="field">
      <label for="headers">{text('fact.headers')}</label>
      <textarea
        id="headers"
        name="headers"
        rows={3}
        spellcheck={false}
        autocomplete="off"
        class="mono"
        placeholder="x-tenant: lisbon"
        aria-describedby="headers-h"
      >
        {typed.headers}
      </textarea>
      <p class="help" id="headers-h">
        {names.length === 0
          ? text('form.headers_help')
          : text.rich('form.headers_stay', { names: <span class="mono">{names.join(', ')}</span> })}
      </p>
      {names.length === 0 ? null : (
        <label class="check">
          <input type="checkbox" name="dropHeaders" checked={typed.dropHeaders} />
          <span>{text('form.drop_headers')}</span>
        </label>
      )}
    </div>
  )
}

function Field({
  name,
  label,
  placeholder,
  typed,
}: {
  name: 'deadline' | 'concurrency' | 'retryStatuses' | 'channels'
  label: string
  placeholder: string
  typed: Typed
}) {
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input id={name} name={name} value={typed[name]} placeholder={placeholder} spellcheck={false} />
    </div>
  )
}
