import type { EventType } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { FieldProblem, type Problem } from '../parts/field.tsx'
import { Icon } from '../parts/icon.tsx'
import type { Reader } from '../reader/reader.ts'
import type { Typed } from './endpoint-input.ts'

// With more groups only those are open of which something is chosen.
const MAX_OPEN = 3

/** The events that an endpoint gets: all, or types and patterns of the catalog and others. */
export function EventPicker({
  typed,
  types,
  othersToo,
  about,
  problem,
  reader,
}: {
  typed: Pick<Typed, 'all' | 'types'>
  types: readonly EventType[]
  /** Whether there is a field for types and patterns that the catalog has not; without a catalog there always is. */
  othersToo: boolean
  /** A line below it. */
  about?: Child
  problem?: Problem | undefined
  reader: Reader
}) {
  const { text } = reader
  const groups = [...Map.groupBy(types, ({ type }) => groupOf(type))]
  const known = [...types.map(({ type }) => type), ...groups.map(([group]) => `${group}.*`)]
  const others = typed.types.filter((type) => !known.includes(type))
  const describedBy = problem === undefined ? undefined : 'types-err'
  return (
    <fieldset class="stack tight" id="types" aria-describedby={describedBy}>
      <legend>{text('form.events')}</legend>
      <FieldProblem id="types" problem={problem} />
      <label class="check">
        <input type="radio" name="all" value="all" checked={typed.all} />
        <span>
          {text('form.all_events')} <span class="help">{text('form.all_events_what')}</span>
        </span>
      </label>
      <label class="check">
        <input type="radio" name="all" value="some" checked={!typed.all} />
        <span>{text('form.some_events')}</span>
      </label>
      {groups.length === 0 ? null : (
        <div class="tree">
          <div class="find js">
            <Icon name="search" />
            <input type="search" placeholder={text('form.find_event')} aria-label={text('form.find_event')} data-find />
          </div>
          <ul>
            {groups.map(([group, ofGroup]) => (
              <Group
                group={group}
                types={ofGroup}
                chosen={typed.types}
                isOpen={groups.length <= MAX_OPEN}
                reader={reader}
              />
            ))}
          </ul>
        </div>
      )}
      {othersToo || others.length > 0 || groups.length === 0 ? (
        <div class="field">
          <label for="patterns">{text(groups.length === 0 ? 'form.types' : 'form.patterns')}</label>
          <input
            id="patterns"
            name="patterns"
            value={others.join(', ')}
            placeholder="message.*, member.joined"
            spellcheck={false}
          />
        </div>
      ) : null}
      {about === undefined ? null : <p class="help">{about}</p>}
    </fieldset>
  )
}

function Group({
  group,
  types,
  chosen,
  isOpen,
  reader: { text },
}: {
  group: string
  types: readonly EventType[]
  chosen: readonly string[]
  isOpen: boolean
  reader: Reader
}) {
  const pattern = `${group}.*`
  const hasAll = chosen.includes(pattern)
  const count = types.filter(({ type }) => chosen.includes(type)).length
  return (
    <li>
      <details open={isOpen || hasAll || count > 0} class="fold">
        <summary>
          <span class="mono">{group}</span>
          <span class="count">
            {hasAll ? text('form.all_chosen') : text('form.chosen', { chosen: count, all: types.length })}
          </span>
        </summary>
        <ul>
          {types.some(({ type }) => type !== group) ? (
            <Choice type={pattern} about={text('form.whole_group')} isChosen={hasAll} />
          ) : null}
          {types.map(({ type, description }) => (
            <Choice type={type} about={description ?? ''} isChosen={chosen.includes(type)} />
          ))}
        </ul>
      </details>
    </li>
  )
}

function Choice({ type, about, isChosen }: { type: string; about: string; isChosen: boolean }) {
  return (
    <li>
      <label class="check">
        <input type="checkbox" name="types" value={type} checked={isChosen} />
        <span>
          <span class="mono">{type}</span> <span class="help">{about}</span>
        </span>
      </label>
    </li>
  )
}

/** The part of a type before its first dot. */
function groupOf(type: string): string {
  return type.split('.')[0] ?? type
}

/** How many of the types are chosen, by themselves or by a pattern. */
export function countChosen({ all, types: chosen }: Pick<Typed, 'all' | 'types'>, types: readonly EventType[]): number {
  return all
    ? types.length
    : types.filter(({ type }) => chosen.includes(type) || chosen.includes(`${groupOf(type)}.*`)).length
}
