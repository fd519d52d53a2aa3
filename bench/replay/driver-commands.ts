import type { Collection, Document } from 'mongodb'

type Send = (collection: Collection, command: Document) => Promise<unknown>

/** How an application sends each command with nothing but the driver. */
const SENDERS: Readonly<Record<string, Send>> = {
  find: (collection, { find: _, filter, ...options }) => collection.find(filter, options).toArray(),
  aggregate: (collection, { aggregate: _, pipeline, cursor, ...options }) =>
    collection.aggregate(pipeline, { ...cursor, ...options }).toArray(),
  insert: (collection, { insert: _, documents, ordered, ...options }) =>
    documents.length === 1
      ? collection.insertOne(documents[0], options)
      : collection.insertMany(documents, { ordered, ...options }),
  update: (collection, { update: _, updates, ordered: _ordered, ...options }) => {
    const { q, u, multi, ...each } = single(updates)
    return multi
      ? collection.updateMany(q, u, { ...each, ...options })
      : collection.updateOne(q, u, { ...each, ...options })
  },
  findAndModify: (collection, command) => {
    const { findAndModify: _, query, update, remove, new: after, fields, ...options } = command
    if (remove) return collection.findOneAndDelete(query, options)
    const returnDocument = after ? 'after' : 'before'
    const projection = fields && { projection: fields }
    return collection.findOneAndUpdate(query, update, { returnDocument, ...projection, ...options })
  },
}

/**
 * How to send a command of this name.
 *
 * @throws {Error} for a command that no scenario has needed yet.
 */
export function senderOf(name: string): Send {
  const send = SENDERS[name]
  if (send === undefined) throw new Error(`the bare driver has no way to send ${name} yet`)
  return send
}

function single(statements: Document[]): Document {
  const [only, ...others] = statements
  if (only === undefined || others.length > 0) throw new Error('a batch of updates has no bare form yet')
  return only
}
