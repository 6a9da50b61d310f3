import { allWorkspaces } from '@keepsend/engine'
import { FormToken } from '../../parts/form-token.tsx'
import type { Page } from '../../site/visit.ts'
import { findDelivery } from '../../history/find-delivery.ts'

/** A confirmation: giving up cannot be taken back by itself. */
export const giveUpPage: Page = {
  path: '/deliveries/:id/give-up',
  section: 'deliveries',
  async show(visit) {
    const { engine, reader, param } = visit
    const { text, link } = reader
    const { delivery } = await findDelivery(engine, allWorkspaces, param('id'))
    const title = text('give_up.title')
    const main = (
      <form class="page-mid" method="post" action={link('deliveries', delivery.id)}>
        <FormToken reader={reader} />
        <h1>{title}</h1>
        <p>
          {text.rich('give_up.what', {
            type: <span class="mono">{delivery.type}</span>,
            workspace: delivery.workspaceId,
          })}
        </p>
        <ul class="list plain-list">
          <li>{text('give_up.left', { n: Math.max(0, delivery.maxAttempts - delivery.attempts) })}</li>
          <li>{text('give_up.then')}</li>
          <li>{text('give_up.others')}</li>
        </ul>
        <div class="row">
          <button class="btn danger primary" name="do" value="give-up">
            {text('delivery.give_up')}
          </button>
          <a class="btn" href={link('deliveries', delivery.id)}>
            {text('confirm.keep')}
          </a>
        </div>
      </form>
    )
    return { title, main }
  },
}
