import type { Engine } from '@keepsend/engine'
import { FieldProblem, type Problem, described } from '../parts/field.tsx'
import { Icon } from '../parts/icon.tsx'
import type { Reader } from '../reader/reader.ts'
import { urlRulesOf } from './url-rules.ts'

/** The URL of an endpoint, with the rules for it. */
export function UrlField({
  engine,
  value,
  problem,
  reader,
}: {
  engine: Engine
  value: string
  problem?: Problem | undefined
  reader: Reader
}) {
  const { text } = reader
  return (
    <div class="field">
      <label for="url">URL</label>
      <input
        id="url"
        name="url"
        type="url"
        required
        inputmode="url"
        autocomplete="off"
        spellcheck={false}
        value={value}
        placeholder="https://example.com/webhooks"
        {...described('url', { problem, by: 'url-rules' })}
      />
      <FieldProblem id="url" problem={problem} />
      <ul class="rules" id="url-rules">
        {urlRulesOf(engine, value, reader).map(({ name, said, holds }) => (
          <li class={holds === undefined ? undefined : holds ? 'yes' : 'no'} data-rule={name}>
            {/* The second icon is for the script, which ticks the rule while somebody types. */}
            {name === undefined && holds ? null : <Icon name={holds === false ? 'x' : 'dot'} />}
            {name !== undefined || holds ? <Icon name="check" /> : null}
            <span>
              {said}
              {holds === undefined ? null : <span class="sr">{text(holds ? 'url.holds' : 'url.fails')}</span>}
            </span>
          </li>
        ))}
      </ul>
    </div>
  )
}
