import { FormToken } from '../../parts/form-token.tsx'
import { Icon } from '../../parts/icon.tsx'
import type { Reader } from '../../reader/reader.ts'
import { CAPABILITIES } from './capabilities.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const LIFETIMES = [
  [15 * MINUTE_MS, 'pause.15min'],
  [HOUR_MS, 'overlap.1h'],
  [8 * HOUR_MS, 'pause.8h'],
  [24 * HOUR_MS, 'overlap.24h'],
  [7 * 24 * HOUR_MS, 'overlap.7d'],
] as const

export function NewLink({
  workspaceId,
  hasPortal,
  reader,
}: {
  workspaceId: string
  /** Whether the address of the portal is known, so that a whole link can be shown. */
  hasPortal: boolean
  reader: Reader
}) {
  const { text, link } = reader
  return (
    <form method="post" action={link('workspaces', workspaceId, 'links')} class="sec stack">
      <FormToken reader={reader} />
      <h2 id="h-new">{text('links.new')}</h2>
      {hasPortal ? null : <p class="dim">{text('links.no_portal')}</p>}
      <fieldset class="stack tight">
        <legend>{text('links.allows')}</legend>
        <label class="check">
          <input type="checkbox" checked disabled />
          <span>{text('capability.see')}</span>
        </label>
        {CAPABILITIES.map((capability) => (
          <label class="check">
            <input type="checkbox" name="may" value={capability} checked />
            <span>{text(`capability.${capability}`)}</span>
          </label>
        ))}
      </fieldset>
      <div class="field">
        <label for="ends">{text('links.ends_after')}</label>
        <select id="ends" name="ends">
          {LIFETIMES.map(([ms, name]) => (
            <option value={ms} selected={ms === HOUR_MS}>
              {text(name)}
            </option>
          ))}
        </select>
      </div>
      <div class="field">
        <label for="uses">{text('links.opens')}</label>
        <select id="uses" name="uses">
          <option value="once">{text('links.once')}</option>
          <option value="many">{text('links.many')}</option>
        </select>
      </div>
      <div class="field">
        <label for="who">
          {text('links.for')} <span class="opt">{text('form.optional')}</span>
        </label>
        <input id="who" name="who" maxlength={200} aria-describedby="who-h" />
        <p class="help" id="who-h">
          {text('links.for_help')}
        </p>
      </div>
      <div>
        <button class="btn primary" type="submit">
          <Icon name="link" />
          {text('links.create')}
        </button>
      </div>
    </form>
  )
}
