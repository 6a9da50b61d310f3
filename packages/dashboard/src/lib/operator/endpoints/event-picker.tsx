import type { EventType } from '@keepsend/engine'
import { Icon } from '../../parts/icon.tsx'
import type { Reader } from '../../reader/reader.ts'
import type { Typed } from './endpoint-input.ts'

/** The events of an endpoint: all, or some types and patterns. */
export function EventPicker({
  typed,
  types,
  reader: { text },
}: {
  typed: Pick<Typed, 'all' | 'types'>
  types: readonly EventType[]
  reader: Reader
}) {
  const groups = [...Map.groupBy(types, ({ type }) => type.split('.')[0] ?? type)]
  // Subscriptions that no box stands for, such as other patterns, stay.
  const known = [...types.map(({ type }) => type), ...groups.map(([group]) => `${group}.*`)]
  const others = typed.types.filter((type) => !known.includes(type))
  const box = (type: string, help: string) => (
    <li>
      <label class="check">
        <input type="checkbox" name="types" value={type} checked={typed.types.includes(type)} />
        <span>
          <span class="mono">{type}</span> <span class="help">{help}</span>
        </span>
      </label>
    </li>
  )
  return (
    <fieldset class="stack tight">
      <legend>{text('form.events')}</legend>
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
      {types.length === 0 ? null : (
        <div class="tree">
          <div class="find js">
            <Icon name="search" />
            <input type="search" placeholder={text('form.find_event')} aria-label={text('form.find_event')} data-find />
          </div>
          <ul>
            {groups.map(([group, ofGroup]) => {
              const chosen = ofGroup.filter(({ type }) => typed.types.includes(type)).length
              return (
                <li>
                  <details open class="fold">
                    <summary>
                      <span class="mono">{group}</span>
                      <span class="count">{text('form.chosen', { chosen, all: ofGroup.length })}</span>
                    </summary>
                    <ul>
                      {ofGroup.length > 1 ? box(`${group}.*`, text('form.whole_group')) : null}
                      {ofGroup.map(({ type, description }) => box(type, description ?? ''))}
                    </ul>
                  </details>
                </li>
              )
            })}
          </ul>
        </div>
      )}
      <div class="field">
        <label for="patterns">{text('form.patterns')}</label>
        <input
          id="patterns"
          name="patterns"
          value={others.join(', ')}
          placeholder="message.*, member.joined"
          spellcheck={false}
        />
      </div>
    </fieldset>
  )
}
