import { type Endpoint, EngineError, type SignatureScheme } from '@keepsend/engine'
import { FormToken } from '../../parts/form-token.tsx'
import { Icon } from '../../parts/icon.tsx'
import { type Reader, showLongSpan } from '../../reader/reader.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** How long the old secret can sign beside the new one. */
const OVERLAPS_MS = [HOUR_MS, DAY_MS, 3 * DAY_MS, 7 * DAY_MS, 0]
const DEFAULT_OVERLAP_MS = DAY_MS

/** @throws {EngineError} if it is none of the choices */
export function overlapOf(typed: string | undefined): number {
  const overlapMs = typed === undefined ? DEFAULT_OVERLAP_MS : OVERLAPS_MS.find((ms) => String(ms) === typed)
  if (overlapMs === undefined)
    throw new EngineError('invalid_request', `overlap must be one of ${OVERLAPS_MS.join(', ')} ms; found ${typed}`)
  return overlapMs
}

export function RotateForm({
  endpoint,
  schemes,
  reader,
}: {
  endpoint: Endpoint
  schemes: readonly SignatureScheme[]
  reader: Reader
}) {
  const { text, link } = reader
  return (
    <form class="sec stack" method="post" action={link('endpoints', endpoint.id, 'secret')}>
      <FormToken reader={reader} />
      <h2>{text('secret.rotate')}</h2>
      <p class="dim">{text('portal.rotate_what')}</p>
      <div class="row">
        {schemes.length > 1 ? (
          <select name="scheme" class="auto" aria-label={text('portal.scheme')}>
            {schemes.map((scheme) => (
              <option value={scheme}>{scheme}</option>
            ))}
          </select>
        ) : null}
        <label class="row" for="overlap">
          {text('portal.overlap')}
        </label>
        <select id="overlap" name="overlap" class="auto">
          {OVERLAPS_MS.map((ms) => (
            <option value={ms} selected={ms === DEFAULT_OVERLAP_MS}>
              {ms === 0 ? text('portal.overlap_none') : showLongSpan(reader, ms)}
            </option>
          ))}
        </select>
        <button class="btn" name="do" value="rotate">
          <Icon name="replay" />
          {text('portal.rotate')}
        </button>
      </div>
    </form>
  )
}
