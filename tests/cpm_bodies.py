"""Bodies of the objects of message stores: the examples of RFC 3862 and RFC 5438, and shapes of CPM and RCS."""

from __future__ import annotations

CPIM = b"""\
From: MR SANDERS <im:piglet@100akerwood.com>
To: Depressed Donkey <im:eeyore@100akerwood.com>
DateTime: 2000-12-13T13:40:00-08:00
Subject: the weather will be fine today
Subject:;lang=fr beau temps prevu pour aujourd'hui
NS: MyFeatures <mid:MessageFeatures@id.foo.com>
Require: MyFeatures.VitalMessageOption
MyFeatures.VitalMessageOption: Confirmation-requested
MyFeatures.WackyMessageOption: Use-silly-font

Content-type: text/xml; charset=utf-8
Content-ID: <1234567890@foo.com>

<body>
Here is the text of my message.
</body>
""".replace(b"\n", b"\r\n")
"""The example of RFC 3862 §5.1."""

IMDN = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<imdn xmlns="urn:ietf:params:xml:ns:imdn">
  <message-id>34jk324j</message-id>
  <datetime>2008-04-04T12:16:49-05:00</datetime>
  <recipient-uri>im:bob@example.com</recipient-uri>
  <original-recipient-uri>im:bob@example.com</original-recipient-uri>
  <delivery-notification><status><delivered/></status></delivery-notification>
</imdn>
"""
SESSION = (
    b'<?xml version="1.0" encoding="UTF-8"?>\r\n<session><session-type>Group</session-type>'
    b"<sdp>o=- 3664184448 3664184448 IN IP4 example.com\na=x & y</sdp>"
    b"<invited-participants>tel:+15550100;tel:+15550101</invited-participants></session>"
)
GROUP_STATE = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<groupstate timestamp="2012-06-13T16:39:57-05:00" lastfocussessionid="da9274453@company.example" group-type="Closed">
  <participant name="bob" comm-addr="tel:+15550100"/>
  <participant name="alice" comm-addr="tel:+15550101"/>
  <participant comm-addr="tel:+15550102"/>
</groupstate>
"""
FILE_TRANSFER = b"""\
<file-transfer-type>1-1</file-transfer-type>
<invited-participants>tel:+15550100</invited-participants>
<file-object>
<cid>cid:33333</cid>
<sdp>i=This is my latest picture & more
a=sendonly
a=file-selector:name:"My picture.jpg" type:image/jpeg size:4092
a=file-disposition:render
a=file-date:creation:"Mon, 15 May 2006 15:01:31 +0300"</sdp>
</file-object>
"""
OVER_HTTP = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp">
  <file-info type="thumbnail">
    <file-size>9216</file-size><content-type>image/jpg</content-type>
    <data url="https://ft.example.com/t" until="2030-01-21T14:09:31Z"/>
  </file-info>
  <file-info type="file">
    <file-size>171008</file-size><file-name>car &amp; me.png</file-name><content-type>Image/PNG;x=y</content-type>
    <data url="https://ft.example.com/f" until="2030-01-21T14:09:31Z"/>
  </file-info>
</file>
"""
