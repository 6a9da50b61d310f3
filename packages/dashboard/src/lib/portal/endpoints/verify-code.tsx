import { highlight } from '../../parts/highlight.tsx'
import type { PortalVisit } from '../portal-visit.ts'
import { VERIFY_SAMPLES } from './verify-samples.ts'

/** How a signature is verified, with a tab for each language. */
export function VerifyCode({ visit }: { visit: PortalVisit }) {
  const { reader, query, verifyingUrl } = visit
  const { text } = reader
  const chosen = VERIFY_SAMPLES.find(({ id }) => id === query('lang')) ?? VERIFY_SAMPLES[0]
  return (
    <section class="stack tight top-gap2" aria-labelledby="h-verify">
      <h2 id="h-verify">{text('portal.verify')}</h2>
      <p class="dim">{text.rich('portal.verify_what', { link: <a href={verifyingUrl}>Standard Webhooks</a> })}</p>
      <fieldset class="radio-tabs">
        <legend class="sr">{text('portal.verify_language')}</legend>
        {VERIFY_SAMPLES.map(({ id, name }) => (
          <>
            <input type="radio" name="lang" id={`lang-${id}`} value={id} checked={id === chosen.id} data-in-address />
            <label for={`lang-${id}`}>{name}</label>
          </>
        ))}
        {VERIFY_SAMPLES.map(({ name, code }) => (
          <pre class="code" tabindex={0} aria-label={name}>
            {highlight(code)}
          </pre>
        ))}
      </fieldset>
    </section>
  )
}
