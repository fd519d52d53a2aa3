import { type InferSchemaType, model, Schema, type Types } from 'mongoose'
import { BhkType } from '../../../lib/domain/leads/bhk.js'
import { messageSchema } from './message.js'

const spamSchema = new Schema({ score: Number, reasons: [String], confirmedAt: Date }, { _id: false })

const historySchema = new Schema(
  { at: Date, by: String, status: String, note: String, spam: String },
  { _id: false },
)

const schema = new Schema(
  {
    phone: String,
    phoneRaw: String,
    name: String,
    bhkType: { type: String, enum: BhkType.options, required: true },
    bhk: Number,
    bhkRaw: String,
    microsite: { type: String, required: true, maxlength: 200 },
    projectId: { type: String, required: true, maxlength: 200 },
    ownerId: Schema.Types.ObjectId,
    leadSource: { type: String, required: true },
    status: { type: String, enum: ['new', 'contacted', 'qualified', 'closed'], required: true },
    metadata: { type: Schema.Types.Mixed, required: true },
    conversation: [messageSchema],
    quarantined: { type: Boolean, required: true },
    spam: spamSchema,
    history: { type: [historySchema], default: undefined },
    headKey: String,
    submissions: Number,
    lastSeenAt: Date,
    duplicateOf: Schema.Types.ObjectId,
    pending: Boolean,
    searchKeys: { type: [String], default: undefined },
    searchText: String,
  },
  { collection: 'leads', timestamps: true, versionKey: false, minimize: false },
)

export const Lead = model('Lead', schema)
export type StoredLead = InferSchemaType<typeof schema> & { _id: Types.ObjectId }

/** A lead as it leaves the API, under both names of its id. */
export function toPublicLead(lead: StoredLead) {
  const { _id, ownerId, quarantined, headKey, pending, searchKeys, searchText, ...named } = lead
  const id = _id.toHexString()
  const conversation = lead.conversation.map(message => ({
    ...message,
    role: message.type === 'user' ? 'user' : 'agent',
  }))
  return { ...named, id, _id: id, conversation }
}
