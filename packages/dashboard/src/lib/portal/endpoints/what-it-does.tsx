import type { Endpoint } from '@keepsend/engine'
import { showLongSpan } from '../../reader/reader.ts'
import type { PortalVisit } from '../portal-visit.ts'

/** What the receiver has to do, beside the form. @param endpoint undefined: a new one */
export function WhatItDoes({ endpoint, visit }: { endpoint?: Endpoint; visit: PortalVisit }) {
  const { engine, reader } = visit
  const { text, link } = reader
  const seconds = Math.floor((endpoint?.deadlineMs ?? engine.deadlineMs) / 1000)
  const waits = endpoint?.retrySchedule ?? engine.retrySchedule
  const lastMs = waits.reduce((sum, wait) => sum + wait, 0) * 1000
  return (
    <aside class="stack" aria-labelledby="h-does">
      <h2 id="h-does">{text('portal.does')}</h2>
      <ol class="steps">
        <li>
          <div>
            <h3>{text('portal.does_check')}</h3>
            <p class="dim">
              {endpoint
                ? text.rich('portal.does_check_how', {
                    link: <a href={link('endpoints', endpoint.id, 'secret')}>{text('portal.secret')}</a>,
                  })
                : text('portal.does_check_next')}
            </p>
          </div>
        </li>
        <li>
          <div>
            <h3>{text('portal.does_answer', { n: seconds })}</h3>
            <p class="dim">{text('portal.does_answer_how')}</p>
          </div>
        </li>
        <li>
          <div>
            <h3>{text('portal.does_skip')}</h3>
            <p class="dim">{text.rich('portal.does_skip_how', { header: <span class="mono">webhook-id</span> })}</p>
          </div>
        </li>
      </ol>
      {waits.length === 0 ? null : (
        <p class="dim sub">{text('portal.does_again', { n: waits.length, span: showLongSpan(reader, lastMs) })}</p>
      )}
    </aside>
  )
}
