import type { Endpoint } from '@keepsend/engine'
import { EventPicker, countChosen } from '../../endpoint/event-picker.tsx'
import { RateFields } from '../../endpoint/rate-fields.tsx'
import { UrlField } from '../../endpoint/url-field.tsx'
import type { PlainKey } from '../../language/text.ts'
import { FieldProblem, type Problem, ProblemText, TextField, described } from '../../parts/field.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { Icon } from '../../parts/icon.tsx'
import type { PortalVisit } from '../portal-visit.ts'
import type { FieldName, PortalTyped, Problems } from './endpoint-fields.ts'
import { FilterField } from './filter-field.tsx'

/** What a form shows: what was typed, and what is wrong with it. */
export interface FormState {
  typed: PortalTyped
  problems?: Problems | undefined
  /** What is wrong with no field in particular. */
  refusal?: Problem | undefined
  /** @default 200 without a problem, else 400 */
  status?: 409 | undefined
}

/** The status of the page that shows a form: undefined where nothing is wrong. */
export function statusOf({ problems, refusal, status }: FormState): 400 | 409 | undefined {
  return problems === undefined && refusal === undefined ? undefined : (status ?? 400)
}

const FIELD_NAMES: Record<FieldName, PlainKey> = {
  url: 'portal.field_url',
  description: 'portal.field_description',
  types: 'portal.field_types',
  filter: 'portal.field_filter',
  rate: 'portal.field_rate',
  retryStatuses: 'portal.field_retries',
  version: 'portal.field_version',
}

/** The form of an endpoint, new or not. */
export function EndpointForm({
  state,
  endpoint,
  action,
  back,
  visit,
}: {
  state: FormState
  endpoint?: Endpoint
  /** Where it is sent. */
  action: string
  /** Where Cancel leads. */
  back: string
  visit: PortalVisit
}) {
  const { engine, reader } = visit
  const { text, link } = reader
  const { typed, problems = new Map<FieldName, Problem>() } = state
  const types = engine.eventTypes()
  const isOpen =
    problems.has('filter') ||
    problems.has('rate') ||
    problems.has('retryStatuses') ||
    problems.has('version') ||
    typed.rate !== '' ||
    typed.retryStatuses !== '' ||
    typed.filter.kind === 'json' ||
    typed.filter.lines.length !== 1 ||
    typed.filter.lines.some(({ path }) => path !== '')
  return (
    <form class="stack form" method="post" action={action} novalidate>
      <Refusal state={state} isNew={endpoint === undefined} visit={visit} />
      <FormToken reader={reader} />
      {/* Enter in a field presses the first button of a form: this one. */}
      <button hidden name="do" value="save" />
      {endpoint ? <input type="hidden" name="if-version" value={endpoint.version} /> : null}
      <UrlField engine={engine} value={typed.url} problem={problems.get('url')} reader={reader} />
      <TextField
        id="description"
        label={text('fact.description')}
        about={text('form.optional')}
        value={typed.description}
        problem={problems.get('description')}
        max={500}
      />
      <EventPicker
        typed={typed}
        types={types.filter(({ type, deprecated }) => !deprecated || typed.types.includes(type))}
        othersToo={false}
        problem={problems.get('types')}
        about={
          types.length === 0
            ? undefined
            : text.rich('portal.chosen', {
                count: countChosen(typed, types),
                n: types.length,
                link: <a href={link('events')}>{text('portal.chosen_what')}</a>,
              })
        }
        reader={reader}
      />
      <details class="fold adv" open={isOpen}>
        <summary>
          {text('portal.advanced')} <span class="opt">{text('portal.advanced_what')}</span>
        </summary>
        <div class="stack">
          <FilterField typed={typed.filter} problem={problems.get('filter')} reader={reader} />
          <RateFields typed={typed} problemOf={(name) => problems.get(name)} reader={reader} />
          <VersionField
            value={typed.version}
            labels={engine.catalog?.versions ?? []}
            problem={problems.get('version')}
            visit={visit}
          />
        </div>
      </details>
      <div class="row">
        <button class="btn primary" name="do" value="save">
          {text(endpoint ? 'form.save' : 'endpoints.add')}
        </button>
        <a class="btn" href={back}>
          {text('form.cancel')}
        </a>
      </div>
    </form>
  )
}

/** Says that nothing was changed, and which fields need a change. */
function Refusal({ state, isNew, visit }: { state: FormState; isNew: boolean; visit: PortalVisit }) {
  const { text } = visit.reader
  const { problems, refusal } = state
  if (!problems?.size && refusal === undefined) return null
  const names = [...(problems?.keys() ?? [])]
  const fields = names.map((name, at) => (
    <>
      {at === 0 ? '' : ', '}
      <a href={`#${name}`}>{text(FIELD_NAMES[name])}</a>
    </>
  ))
  return (
    <div class="note bad boxed" role="alert">
      <Icon name="failed" />
      <div>
        <h2>{text(isNew ? 'portal.not_added' : 'portal.not_saved')}</h2>
        {refusal === undefined ? null : (
          <p>
            <ProblemText problem={refusal} />
          </p>
        )}
        {names.length === 0 ? null : <p>{text.rich('portal.to_change', { n: names.length, fields })}</p>}
      </div>
    </div>
  )
}

function VersionField({
  value,
  labels,
  problem,
  visit: { reader },
}: {
  value: string
  labels: readonly string[]
  problem: Problem | undefined
  visit: PortalVisit
}) {
  const { text } = reader
  if (labels.length === 0) return null
  // An endpoint that was made before there were versions gets the oldest.
  const shown = labels.includes(value) ? labels : ['', ...labels]
  return (
    <div class="field">
      <label for="version">{text('portal.version')}</label>
      <select id="version" name="version" class="auto" {...described('version', { problem, by: 'version-help' })}>
        {shown.toReversed().map((label) => (
          <option value={label} selected={label === value}>
            {label === '' ? text('default') : label}
          </option>
        ))}
      </select>
      <FieldProblem id="version" problem={problem} />
      <p class="help" id="version-help">
        {text('portal.version_what')}
      </p>
    </div>
  )
}
