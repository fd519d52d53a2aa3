import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

type Params = Record<string, string>

/** A request as it arrived; parameters by the names that Stripe's form encoding has (`line_items[0][price]`). */
export interface StripeRequest {
  method: string
  path: string
  params: Params
  idempotencyKey: string | undefined
}

export interface StripeObject {
  id: string
  object: string
  [field: string]: unknown
}

export interface FakeSubscription extends StripeObject {
  customer: string
  status: string
  items: {
    data: {
      id: string
      price: { id: string }
      current_period_start: number
      current_period_end: number
    }[]
  }
  cancel_at: number | null
  cancel_at_period_end: boolean
  ended_at: number | null
  cancellation_details: { reason: string | null }
}

interface FakeInvoice extends StripeObject {
  customer: string
  subscription: string
  status: string
  created: number
  status_transitions: { finalized_at: number }
}

interface FakeSession extends StripeObject {
  customer: string
  status: string
  url: string | null
  metadata: Params
}

export interface StripeEventPayload {
  id: string
  type: string
  data: { object: StripeObject }
}

/** What the API refuses a request with, as its own errors look. */
class Refused extends Error {
  constructor(
    readonly status: number,
    readonly body: { type: string; code?: string; param?: string },
  ) {
    super(JSON.stringify(body))
  }
}

const DAY_SECONDS = 24 * 60 * 60

/**
 * Stripe's API as far as we use it, on this machine: keeps customers, sessions, subscriptions and invoices, answers
 * a repeated `Idempotency-Key` with the first answer, and remembers what it was asked. What happens at Stripe without
 * a request of ours (somebody pays, a period ends) is a method; each returns the events that Stripe would send.
 */
export class StripeServer {
  readonly key = 'sk_test_key'
  readonly requests: StripeRequest[] = []
  readonly customers = new Map<string, StripeObject & { deleted?: true; email?: string; metadata: Params }>()
  readonly sessions = new Map<string, FakeSession>()
  readonly subscriptions = new Map<string, FakeSubscription>()
  readonly invoices = new Map<string, FakeInvoice>()
  /** In seconds, as all of Stripe's times. */
  now = Date.UTC(2026, 2, 10, 12) / 1_000
  /** The prices that it sells; every price where undefined. */
  prices: string[] | undefined
  /** Answers in place of the API: a status, or a connection that breaks. */
  fail: ((request: StripeRequest) => number | 'reset' | undefined) | undefined
  /** Lets time pass between what the API found and its answer. */
  beforeAnswer: ((request: StripeRequest) => Promise<void>) | undefined
  readonly #answers = new Map<string, { params: string; body: unknown }>()
  readonly #server = createServer((request, response) => this.#serve(request, response))
  #ids = 0

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise(resolve => this.#server.close(() => resolve()))
  }

  /** Requests of one kind: `POST customers`, `GET subscriptions`. */
  asked(what: string): StripeRequest[] {
    return this.requests.filter(({ method, path }) => `${method} ${path}`.startsWith(what))
  }

  /** Somebody pays on a page, which makes a subscription. */
  pay(sessionId: string): StripeEventPayload[] {
    const session = this.#found(this.sessions, sessionId, 'session')
    if (session.status !== 'open') throw new Error('nobody can pay on this page any more')
    const subscription = this.subscribe(session.customer, session.metadata.priceId ?? '')
    Object.assign(session, { status: 'complete', url: null, subscription: subscription.id })
    return [
      this.event('checkout.session.completed', session),
      this.event('customer.subscription.created', subscription),
      this.event('invoice.paid', this.#newestInvoice(subscription)),
    ]
  }

  /** A subscription that is running and paid for. */
  subscribe(customer: string, priceId: string, fields: Partial<FakeSubscription> = {}): FakeSubscription {
    const subscription: FakeSubscription = {
      id: this.#id('sub'),
      object: 'subscription',
      customer,
      status: 'active',
      created: this.now,
      items: {
        data: [
          {
            id: this.#id('si'),
            price: { id: priceId },
            current_period_start: this.now,
            current_period_end: this.now + 30 * DAY_SECONDS,
          },
        ],
      },
      cancel_at: null,
      cancel_at_period_end: false,
      ended_at: null,
      cancellation_details: { reason: null },
      ...fields,
    }
    this.subscriptions.set(subscription.id, subscription)
    this.#invoice(subscription, 'paid')
    return subscription
  }

  /** The period ends and the next one begins. */
  renew(subscription: FakeSubscription, paid: boolean): StripeEventPayload[] {
    const [item] = subscription.items.data
    if (!item) throw new Error('there is nothing to renew')
    this.now = item.current_period_end
    item.current_period_start = this.now
    item.current_period_end = this.now + 30 * DAY_SECONDS
    this.now += 3_600
    const invoice = this.#invoice(subscription, paid ? 'paid' : 'open')
    if (!paid) subscription.status = 'past_due'
    return [
      this.event('invoice.created', invoice),
      this.event(paid ? 'invoice.paid' : 'invoice.payment_failed', invoice),
      this.event('customer.subscription.updated', subscription),
    ]
  }

  /** A payment that failed is made up for. */
  recover(subscription: FakeSubscription): StripeEventPayload[] {
    const open = [...this.invoices.values()].filter(
      ({ subscription: id, status }) => id === subscription.id && status === 'open',
    )
    for (const invoice of open) invoice.status = 'paid'
    subscription.status = 'active'
    return [
      ...open.map(invoice => this.event('invoice.paid', invoice)),
      this.event('customer.subscription.updated', subscription),
    ]
  }

  changePrice(subscription: FakeSubscription, priceId: string): StripeEventPayload[] {
    for (const item of subscription.items.data) item.price.id = priceId
    return [this.event('customer.subscription.updated', subscription)]
  }

  cancelAtPeriodEnd(subscription: FakeSubscription): StripeEventPayload[] {
    subscription.cancel_at_period_end = true
    subscription.cancel_at = subscription.items.data[0]?.current_period_end ?? null
    subscription.cancellation_details.reason = 'cancellation_requested'
    return [this.event('customer.subscription.updated', subscription)]
  }

  end(subscription: FakeSubscription, at: number, reason = 'cancellation_requested'): StripeEventPayload[] {
    this.now = at
    subscription.status = 'canceled'
    subscription.ended_at = at
    subscription.cancellation_details.reason = reason
    return [this.event('customer.subscription.deleted', subscription)]
  }

  /** An event with what its object is now, which it says however late it arrives. */
  event(type: string, object: StripeObject): StripeEventPayload {
    const data = { object: structuredClone(object) }
    return Object.assign({ id: this.#id('evt'), type, data }, { object: 'event', created: this.now })
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', this.url)
    const request: StripeRequest = {
      method: incoming.method ?? '',
      path: url.pathname.replace('/v1/', ''),
      params: Object.fromEntries([...url.searchParams, ...new URLSearchParams(await text(incoming))]),
      idempotencyKey: incoming.headers['idempotency-key']?.toString(),
    }
    this.requests.push(request)
    const failure = this.fail?.(request)
    if (failure === 'reset') {
      incoming.socket.destroy()
      return
    }
    const send = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    try {
      if (failure !== undefined) throw new Refused(failure, { type: 'api_error' })
      if (incoming.headers.authorization !== `Bearer ${this.key}`)
        throw new Refused(401, { type: 'invalid_request_error' })
      // What is answered is what was found now.
      const body = structuredClone(this.#answerOnce(request))
      await this.beforeAnswer?.(request)
      send(200, body)
    } catch (error) {
      if (error instanceof Refused) send(error.status, { error: error.body })
      else send(500, { error: { type: 'api_error', message: String(error) } })
    }
  }

  #answerOnce(request: StripeRequest): unknown {
    const { idempotencyKey, path } = request
    const params = JSON.stringify([path, request.params])
    const before = idempotencyKey === undefined ? undefined : this.#answers.get(idempotencyKey)
    if (before && before.params !== params) throw new Refused(400, { type: 'idempotency_error' })
    if (before) return before.body
    const body = this.#answer(request)
    if (idempotencyKey !== undefined)
      this.#answers.set(idempotencyKey, { params, body: structuredClone(body) })
    return body
  }

  #answer({ method, path, params }: StripeRequest): unknown {
    const [kind, id = '', verb] = path
      .replace('checkout/', '')
      .replace('billing_portal/', 'portal-')
      .split('/')
    switch (`${method} ${kind}${id && ' id'}${verb ? ` ${verb}` : ''}`) {
      case 'POST customers':
        return this.#createCustomer(params)
      case 'DELETE customers id':
        return this.#deleteCustomer(id)
      case 'GET subscriptions':
        this.#customer(params.customer)
        return this.#list(this.subscriptions, ({ customer }) => customer === params.customer)
      case 'GET subscriptions id':
        return this.#withInvoice(this.#found(this.subscriptions, id, 'id'))
      case 'GET invoices':
        return this.#list(this.invoices, ({ subscription }) => subscription === params.subscription)
      case 'POST sessions':
        return this.#createSession(params)
      case 'GET sessions id':
        return this.#found(this.sessions, id, 'session')
      case 'POST sessions id expire':
        return this.#expireSession(id)
      case 'POST portal-sessions':
        this.#customer(params.customer)
        return {
          id: this.#id('bps'),
          object: 'billing_portal.session',
          url: `${this.url}/portal/${params.customer}`,
        }
      default:
        throw new Error(`${method} ${path} is nothing that this server knows`)
    }
  }

  #createCustomer(params: Params): StripeObject {
    const customer = {
      id: this.#id('cus'),
      object: 'customer',
      ...(params.email !== undefined && { email: params.email }),
      metadata: { userId: params['metadata[userId]'] ?? '' },
    }
    this.customers.set(customer.id, customer)
    return customer
  }

  #deleteCustomer(id: string): unknown {
    this.#customer(id)
    this.customers.set(id, { id, object: 'customer', deleted: true, metadata: {} })
    for (const subscription of this.subscriptions.values())
      if (subscription.customer === id && subscription.status !== 'canceled') this.end(subscription, this.now)
    return { id, object: 'customer', deleted: true }
  }

  #createSession(params: Params): FakeSession {
    this.#customer(params.customer)
    const price = params['line_items[0][price]'] ?? ''
    if (this.prices && !this.prices.includes(price))
      throw new Refused(400, {
        type: 'invalid_request_error',
        code: 'resource_missing',
        param: 'line_items[0][price]',
      })
    const id = this.#id('cs')
    const session: FakeSession = {
      id,
      object: 'checkout.session',
      customer: params.customer ?? '',
      status: 'open',
      url: `${this.url}/pay/${id}`,
      metadata: { userId: params['metadata[userId]'] ?? '', priceId: params['metadata[priceId]'] ?? '' },
    }
    this.sessions.set(id, session)
    return session
  }

  #expireSession(id: string): FakeSession {
    const session = this.#found(this.sessions, id, 'session')
    if (session.status !== 'open') throw new Refused(400, { type: 'invalid_request_error' })
    return Object.assign(session, { status: 'expired', url: null })
  }

  #customer(id = ''): void {
    if (this.#found(this.customers, id, 'customer').deleted) throw missing('customer')
  }

  #found<T>(objects: ReadonlyMap<string, T>, id: string, param: string): T {
    const object = objects.get(id)
    if (object === undefined) throw missing(param)
    return object
  }

  #list<T extends StripeObject>(objects: ReadonlyMap<string, T>, isAsked: (object: T) => boolean): unknown {
    const data = [...objects.values()].filter(isAsked).reverse()
    return { object: 'list', has_more: false, data: data.map(object => this.#withInvoice(object)) }
  }

  #withInvoice(object: StripeObject): StripeObject {
    const isSubscription = object.object === 'subscription'
    return isSubscription
      ? { ...object, latest_invoice: this.#newestInvoice(object as FakeSubscription) }
      : object
  }

  #invoice(subscription: FakeSubscription, status: string): FakeInvoice {
    const invoice: FakeInvoice = {
      id: this.#id('in'),
      object: 'invoice',
      customer: subscription.customer,
      subscription: subscription.id,
      status,
      created: this.now,
      status_transitions: { finalized_at: this.now },
    }
    this.invoices.set(invoice.id, invoice)
    return invoice
  }

  #newestInvoice({ id }: FakeSubscription): FakeInvoice {
    const invoice = [...this.invoices.values()].findLast(({ subscription }) => subscription === id)
    if (!invoice) throw new Error('there is no invoice')
    return invoice
  }

  #id(prefix: string): string {
    this.#ids += 1
    return `${prefix}_${String(this.#ids).padStart(4, '0')}${randomBytes(4).toString('hex')}`
  }
}

function missing(param: string): Refused {
  return new Refused(404, { type: 'invalid_request_error', code: 'resource_missing', param })
}
