import { Icon } from '../../parts/icon.tsx'
import type { PortalVisit } from '../portal-visit.ts'
import { Step } from './endpoint-disabled.tsx'

/** The way to the first delivery of an endpoint to which nothing was sent yet. */
export function FirstSteps({ endpointId, visit }: { endpointId: string; visit: PortalVisit }) {
  const { reader, may, verifyingUrl } = visit
  const { text, link } = reader
  const secret = <a href={link('endpoints', endpointId, 'secret')}>{text('portal.secret')}</a>
  return (
    <section class="panel" aria-labelledby="h-first">
      <div class="sec stack">
        <h2 id="h-first">{text('portal.first')}</h2>
        <ol class="steps">
          <Step title={text('portal.first_secret')}>
            <p class="dim">{text.rich('portal.first_secret_how', { way: secret })}</p>
          </Step>
          <Step title={text('portal.first_check')}>
            <p class="dim">
              {text.rich('portal.first_check_how', {
                way: <a href={verifyingUrl}>{text('portal.first_check_way')}</a>,
              })}
            </p>
          </Step>
          {may('tests:send') ? (
            <Step title={text('endpoint.test')}>
              <p class="dim">{text('portal.first_test_how')}</p>
              <a class="btn primary" href={link('endpoints', endpointId, 'test')}>
                <Icon name="test" />
                {text('endpoint.test')}
              </a>
            </Step>
          ) : null}
        </ol>
      </div>
    </section>
  )
}
